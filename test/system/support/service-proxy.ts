// The services of a mesh as a test outside of it reaches them: through the API server, behind `kubectl proxy`.
import { once } from 'node:events';
import type { Mesh } from './mesh.ts';

export interface ServiceProxy {
  /** kubectl's own address, http://127.0.0.1:PORT. */
  readonly address: string;
  /** `port` is the service's, by name or number; `path` begins with a slash. Redirects are the caller's to follow. */
  fetch(namespace: string, service: string, port: string | number, path: string, init?: RequestInit): Promise<Response>;
  stop(): Promise<void>;
}

export async function startServiceProxy(mesh: Mesh, kubectl: string): Promise<ServiceProxy> {
  const child = mesh.start(kubectl, ['proxy', '--port', '0']);
  const ended = once(child, 'close');
  let output = '';
  const address = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk;
        const found = /Starting to serve on (\S+:\d+)/.exec(output)?.[1];
        if (found !== undefined) resolve(`http://${found}`);
      });
    }
    ended.then(() => reject(new Error(`kubectl proxy: ${output}`)), reject);
  });
  return {
    address,
    fetch: (namespace, service, port, path, init = {}) =>
      fetch(`${address}/api/v1/namespaces/${namespace}/services/${service}:${port}/proxy${path}`, {
        redirect: 'manual',
        ...init,
      }),
    stop: async () => {
      child.kill();
      await ended;
    },
  };
}
