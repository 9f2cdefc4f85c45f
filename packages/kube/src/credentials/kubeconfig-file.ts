// Writes the file that kubectl and every other Kubernetes client reads.
import { stringify } from 'yaml';
import { type Credentials, writePrivate } from './credentials.ts';

export interface KubeconfigTarget {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  /** Name of cluster, user and context. */
  readonly name: string;
  readonly credentials: Pick<Credentials, 'ca' | 'client'>;
  /** Where commands without -n work. */
  readonly namespace?: string;
}

export async function writeKubeconfig(path: string, target: KubeconfigTarget): Promise<void> {
  const { server, name, credentials, namespace } = target;
  const base64 = (pem: string) => Buffer.from(pem).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(credentials.ca) } }],
    users: [
      {
        name,
        user: {
          'client-certificate-data': base64(credentials.client.cert),
          'client-key-data': base64(credentials.client.key),
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) } }],
    'current-context': name,
  };
  // It holds a key: private, as kubectl itself would write it.
  await writePrivate(path, stringify(config, { lineWidth: 0 }));
}
