// An API server of its own for each test file: a fresh store, real TLS on a free port, and a plain way to call it.
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Credentials, loadOrCreateCredentials } from '../../src/credentials/credentials.ts';
import type { Logger } from '../../src/log.ts';
import type { KubeObject } from '../../src/object.ts';
import { ApiServer, type ApiServerOptions } from '../../src/server/api-server.ts';
import { Store, type StoreOptions } from '../../src/store/store.ts';

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export interface Answer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON. */
  readonly body: KubeObject & { readonly message: string; readonly reason: string; readonly items: KubeObject[] };
}

export interface CallOptions {
  readonly body?: unknown;
  readonly type?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiFixture {
  readonly folder: string;
  readonly port: number;
  readonly store: Store;
  readonly api: ApiServer;
  readonly credentials: Credentials;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Events of a watch, until the test lets go. */
  watch(path: string, accept?: string): AsyncGenerator<{ type: string; object: KubeObject }>;
  close(): Promise<void>;
}

export async function startApi(
  options: Partial<ApiServerOptions> = {},
  storeOptions: Partial<StoreOptions> = {},
): Promise<ApiFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'varka-api-'));
  const credentials = await loadOrCreateCredentials(folder);
  const store = Store.open({ path: join(folder, 'store.db'), log: silent, ...storeOptions });
  const api = new ApiServer({
    store,
    tls: { cert: credentials.server.cert, key: credentials.server.key, clientCa: credentials.ca },
    tokens: [{ token: credentials.token, user: 'test', groups: ['system:masters'] }],
    log: silent,
    ...options,
  });
  const port = await api.listen({ host: '127.0.0.1', port: 0 });
  const base = { host: '127.0.0.1', port, ca: credentials.ca };

  const call = (
    method: string,
    path: string,
    { body, type = 'application/json', accept = 'application/json', headers = {} }: CallOptions = {},
  ) =>
    new Promise<Answer>((resolve, reject) => {
      const bytes =
        body === undefined
          ? undefined
          : Buffer.isBuffer(body) || typeof body === 'string'
            ? body
            : JSON.stringify(body);
      const sent = request(
        {
          ...base,
          method,
          path,
          headers: {
            authorization: `Bearer ${credentials.token}`,
            accept,
            ...(bytes === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(bytes) }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const isJson = (response.headers['content-type'] ?? '').startsWith('application/json');
            resolve({
              code: response.statusCode ?? 0,
              headers: response.headers,
              text,
              body: isJson && text !== '' ? JSON.parse(text) : {},
            });
          });
        },
      );
      sent.on('error', reject);
      sent.end(bytes);
    });

  async function* watch(path: string, accept = 'application/json') {
    const sent = request({ ...base, path, headers: { authorization: `Bearer ${credentials.token}`, accept } });
    try {
      const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
        sent.on('response', resolve);
        sent.on('error', reject);
        sent.end();
      });
      let rest = '';
      for await (const chunk of response) {
        const lines = `${rest}${chunk}`.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) yield JSON.parse(line);
      }
    } finally {
      sent.destroy();
    }
  }

  return {
    folder,
    port,
    store,
    api,
    credentials,
    call,
    watch,
    close: async () => {
      await api.close();
      store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
