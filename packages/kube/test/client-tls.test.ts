import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { HttpKubeClient } from '../src/client/http-client.ts';
import type { ClusterAccess } from '../src/client/kubeconfig.ts';
import { TransportError } from '../src/client/transport.ts';
import { Namespace, Pod } from '../src/kinds/refs.ts';
import type { KubeObject } from '../src/object.ts';
import { isStatus } from '../src/status-error.ts';
import { MemoryLogger } from './support/logger.ts';
import type { RealApi } from './support/real-api.ts';
import { startRealApi } from './support/real-api.ts';

describe('the client over TLS, on our own API server', () => {
  let api: RealApi;

  before(async () => {
    api = await startRealApi(new MemoryLogger());
  });

  after(() => api.close());

  const namespaceAs = async (access: ClusterAccess): Promise<string | undefined> => {
    const client = new HttpKubeClient(access);
    try {
      return (await client.get<KubeObject>(Namespace, 'default')).metadata?.name;
    } finally {
      client.close();
    }
  };

  test('a token or a client certificate opens the door, nothing or a wrong one does not', async () => {
    const { server, ca } = api.access as { server: string; ca: string };
    const { cert, key } = api.clientTls;
    assert.equal(await namespaceAs(api.access), 'default');
    // The certificate's user is known, and has no rights.
    await assert.rejects(namespaceAs({ server, ca, clientCertificate: cert, clientKey: key }), (error) =>
      isStatus(error, 'Forbidden'),
    );
    for (const stranger of [
      { server, ca },
      { server, ca, token: 'wrong' },
    ]) {
      await assert.rejects(namespaceAs(stranger), (error) => isStatus(error, 'Unauthorized'));
    }
  });

  test('a server whose certificate nobody vouches for is not talked to', async () => {
    const { ca: _ca, ...unknown } = api.access;
    await assert.rejects(namespaceAs(unknown), (error) => {
      assert(error instanceof TransportError);
      assert.match(error.message, /self-signed/);
      return true;
    });
    assert.equal(await namespaceAs({ ...unknown, skipTlsVerify: true }), 'default');
    await assert.rejects(namespaceAs({ ...api.access, tlsServerName: 'elsewhere.example' }), /elsewhere\.example/);
  });

  test('discovers our kinds in the versions Varka’s own code names', async () => {
    const found = await api.client.discover();
    const pods = found.find((kind) => kind.plural === Pod.plural && kind.group === Pod.group);
    assert.equal(pods?.version, Pod.version);
    assert(['list', 'watch', 'delete'].every((verb) => pods?.verbs.includes(verb)));
    assert(found.every((kind) => !kind.plural.includes('/')));
    const refs = await import('../src/kinds/refs.ts');
    for (const ref of Object.values(refs)) {
      const served = found.find((kind) => kind.plural === ref.plural && kind.group === ref.group);
      assert.deepEqual(served && { ...served, verbs: undefined }, { ...ref, verbs: undefined });
    }
  });
});
