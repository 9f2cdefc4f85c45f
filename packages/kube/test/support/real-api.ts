// Our own API server on a free port with its own certificate authority, and a client that trusts it.
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { HttpKubeClient } from '../../src/client/http-client.ts';
import type { ClusterAccess } from '../../src/client/kubeconfig.ts';
import type { Logger } from '../../src/log.ts';
import { ApiServer } from '../../src/server/api-server.ts';
import { Store } from '../../src/store/store.ts';

export interface RealApi {
  readonly client: HttpKubeClient;
  readonly access: ClusterAccess;
  /** PEMs of a certificate the server accepts from its clients. */
  readonly clientTls: { readonly cert: string; readonly key: string };
  readonly server: ApiServer;
  close(): Promise<void>;
}

export async function startRealApi(log: Logger): Promise<RealApi> {
  const directory = mkdtempSync(join(tmpdir(), 'varka-kube-'));
  const store = Store.open({ path: join(directory, 'store.db'), log });
  const tls = await selfSigned();
  const token = randomUUID();
  const server = new ApiServer({
    store,
    tls: { ...tls, clientCa: tls.cert },
    tokens: [{ token, user: 'admin', groups: ['system:masters'] }],
    log,
  });
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  const access = { server: `https://127.0.0.1:${port}`, ca: tls.cert, token };
  const client = new HttpKubeClient(access);
  return {
    client,
    access,
    clientTls: tls,
    server,
    async close() {
      client.close();
      await server.close();
      store.close();
      rmSync(directory, { recursive: true });
    },
  };
}

async function selfSigned(): Promise<{ cert: string; key: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=varka-test',
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }]),
    ],
  });
  const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return { cert: certificate.toString('pem'), key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n` };
}
