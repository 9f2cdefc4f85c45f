// An application in a mesh, reached as kubectl proxy would: through the API server's proxy to its Services.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import type { Target } from '@varka/demo-kit/test/target.ts';
import { parse } from 'yaml';
import type { Mesh } from './mesh.ts';

interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
  }[];
  readonly users: readonly {
    readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string };
  }[];
}

/** `ports`: of those Services whose port is not their only one, its name or number. */
export function serviceTarget(mesh: Mesh, namespace: string, ports: Readonly<Record<string, string>> = {}): Target {
  const { clusters, users } = parse(readFileSync(`${mesh.directory}/kubeconfig`, 'utf8')) as Kubeconfig;
  const [cluster, user] = [clusters[0]?.cluster, users[0]?.user];
  if (cluster === undefined || user === undefined) throw new Error('the kubeconfig names no cluster or no user');
  const decode = (data: string) => Buffer.from(data, 'base64');
  const agent = new Agent({
    ca: decode(cluster['certificate-authority-data']),
    cert: decode(user['client-certificate-data']),
    key: decode(user['client-key-data']),
  });
  return {
    fetch(service, path, init = {}) {
      const port = ports[service];
      const name = port === undefined ? service : `${service}:${port}`;
      const url = `${cluster.server}/api/v1/namespaces/${namespace}/services/${name}/proxy${path}`;
      // The body and the headers in the forms that fetch takes them.
      const asked = new Request(url, { ...init, redirect: 'manual' });
      return new Promise((resolve, reject) => {
        const call = request(
          url,
          { agent, method: asked.method, headers: Object.fromEntries(asked.headers) },
          (reply) => {
            const chunks: Buffer[] = [];
            reply.on('data', (chunk: Buffer) => chunks.push(chunk));
            reply.on('error', reject);
            reply.on('end', () => {
              const headers = new Headers();
              for (let at = 0; at < reply.rawHeaders.length; at += 2)
                headers.append(reply.rawHeaders[at] ?? '', reply.rawHeaders[at + 1] ?? '');
              const status = reply.statusCode ?? 0;
              resolve(
                new Response([101, 204, 304].includes(status) ? null : Buffer.concat(chunks), { status, headers }),
              );
            });
          },
        );
        call.on('error', reject);
        asked.arrayBuffer().then((body) => call.end(Buffer.from(body)), reject);
      });
    },
  };
}
