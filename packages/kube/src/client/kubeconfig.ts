// Where an API server is and who we are to it: from a kubeconfig file, or from a pod's service account.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';

export interface ClusterAccess {
  /** `https://host:port`, with a path prefix where the cluster sits behind one. */
  readonly server: string;
  /** PEM. The system's authorities when absent. */
  readonly ca?: string;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  readonly token?: string;
  /** Read again from time to time: a mounted service account token is rotated. */
  readonly tokenFile?: string;
  /** The name in the server's certificate, when it is not the host of `server`. */
  readonly tlsServerName?: string;
  readonly skipTlsVerify?: boolean;
  /** The namespace commands mean when they name none. */
  readonly namespace?: string;
}

export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError';
}

type Fields = Record<string, unknown>;

/** What would change who we are; going on without it would talk to the cluster as somebody else. */
const UNSUPPORTED_USER_FIELDS = ['exec', 'auth-provider', 'username', 'password', 'as', 'as-groups', 'as-uid'];

/** Reads `context` (the file's current-context when not given) of a kubeconfig file. */
export function loadKubeconfig(path: string, context?: string): ClusterAccess {
  const config = readConfig(path);
  const contextName = context ?? text(config, 'current-context');
  if (contextName === undefined || contextName === '') {
    throw new KubeconfigError(
      `${path}: there is no current-context; name a context, or set one (kubectl config use-context)`,
    );
  }
  const chosen = entry(path, config, 'contexts', 'context', contextName);
  const clusterName = text(chosen, 'cluster');
  if (clusterName === undefined) throw new KubeconfigError(`${path}: context "${contextName}" names no cluster`);
  const cluster = entry(path, config, 'clusters', 'cluster', clusterName);
  const userName = text(chosen, 'user');
  const user = userName === undefined || userName === '' ? {} : entry(path, config, 'users', 'user', userName);
  const unsupported = UNSUPPORTED_USER_FIELDS.find((field) => user[field] !== undefined);
  if (unsupported !== undefined) {
    throw new KubeconfigError(
      `${path}: user "${userName}" logs in with "${unsupported}", which Varka does not support: use a token or a client certificate`,
    );
  }
  return access({
    server: serverUrl(path, text(cluster, 'server')),
    ca: pem(path, cluster, 'certificate-authority'),
    clientCertificate: pem(path, user, 'client-certificate'),
    clientKey: pem(path, user, 'client-key'),
    token: text(user, 'token'),
    tokenFile: text(user, 'token') === undefined ? relativeTo(path, text(user, 'tokenFile')) : undefined,
    tlsServerName: text(cluster, 'tls-server-name'),
    skipTlsVerify: cluster['insecure-skip-tls-verify'] === true ? true : undefined,
    namespace: text(chosen, 'namespace'),
  });
}

const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The access every pod of a real cluster is given (Kubernetes docs: "Accessing the Kubernetes API from a Pod"). */
export function inClusterAccess(
  env: NodeJS.ProcessEnv = process.env,
  directory: string = SERVICE_ACCOUNT_DIRECTORY,
): ClusterAccess {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  if (host === undefined || port === undefined) {
    throw new KubeconfigError(
      'not running in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set',
    );
  }
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: read(`${directory}/ca.crt`, 'the cluster’s certificate authority'),
    tokenFile: `${directory}/token`,
    namespace: read(`${directory}/namespace`, 'the pod’s namespace').trim(),
  };
}

function readConfig(path: string): Fields {
  let config: unknown;
  try {
    config = parse(read(path, 'the kubeconfig'));
  } catch (error) {
    if (error instanceof KubeconfigError) throw error;
    throw new KubeconfigError(`${path}: not YAML: ${(error as Error).message}`, { cause: error });
  }
  if (!isFields(config)) throw new KubeconfigError(`${path}: not a kubeconfig: the file holds no mapping`);
  return config;
}

function entry(path: string, config: Fields, list: string, field: string, name: string): Fields {
  const items = Array.isArray(config[list]) ? (config[list] as unknown[]) : [];
  const found = items.filter(isFields).find((item) => item['name'] === name);
  if (found === undefined) {
    const known = items.filter(isFields).map((item) => `"${String(item['name'])}"`);
    throw new KubeconfigError(
      `${path}: there is no ${field} "${name}"; ${list}: ${known.length === 0 ? 'none' : known.join(', ')}`,
    );
  }
  const value = found[field];
  if (value === null || value === undefined) return {};
  if (!isFields(value)) throw new KubeconfigError(`${path}: ${field} "${name}" is not a mapping`);
  return value;
}

function serverUrl(path: string, server: string | undefined): string {
  if (server === undefined) throw new KubeconfigError(`${path}: the cluster has no server`);
  if (!URL.canParse(server)) throw new KubeconfigError(`${path}: "${server}" is not a URL`);
  const url = new URL(server);
  const loopback = ['localhost', '[::1]'].includes(url.hostname) || url.hostname.startsWith('127.');
  // A bearer token over plain http would be readable by the network.
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback)) {
    throw new KubeconfigError(`${path}: "${server}": only https is allowed (http for a loopback address)`);
  }
  return server.replace(/\/+$/, '');
}

/** A PEM from `FIELD-data` (base64) or the file named by `FIELD`; the data wins, as in kubectl. */
function pem(path: string, fields: Fields, field: string): string | undefined {
  const data = text(fields, `${field}-data`);
  if (data !== undefined && data !== '') return Buffer.from(data, 'base64').toString('utf8');
  const file = relativeTo(path, text(fields, field));
  return file === undefined ? undefined : read(file, `${field} of ${path}`);
}

function relativeTo(path: string, file: string | undefined): string | undefined {
  return file === undefined || file === '' ? undefined : resolve(dirname(path), file);
}

function read(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new KubeconfigError(`cannot read ${what}: ${(error as Error).message}`, { cause: error });
  }
}

function text(fields: Fields, field: string): string | undefined {
  const value = fields[field];
  return typeof value === 'string' ? value : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function access(fields: { [Field in keyof ClusterAccess]: ClusterAccess[Field] | undefined }): ClusterAccess {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as unknown as ClusterAccess;
}
