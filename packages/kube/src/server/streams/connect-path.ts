// Reads the path of a request that becomes a stream: exec, attach and port-forward of a pod, proxy of a pod or service.

export type Connection = 'exec' | 'attach' | 'portforward' | 'proxy';

export interface ConnectPath {
  readonly namespace: string;
  readonly plural: 'pods' | 'services';
  /** For `proxy` it may carry a scheme and a port: `https:name:port`. */
  readonly name: string;
  readonly connection: Connection;
  /** The path as it is to be passed on, percent-encoded as it came; '' when there is nothing behind `/proxy`. */
  readonly rest: string;
}

const SHAPE =
  /^\/api\/v1\/namespaces\/([^/]+)\/(?:(pods)\/([^/]+)\/(exec|attach|portforward)\/?|(pods|services)\/([^/]+)\/proxy(\/.*)?)$/;

/** Undefined when it is another path; throws URIError when it is not properly encoded. */
export function parseConnectPath(path: string): ConnectPath | undefined {
  const match = SHAPE.exec(path);
  if (match === null) return undefined;
  const [, namespace = '', pods, pod = '', connection, plural, proxied = '', rest = ''] = match;
  return {
    namespace: decodeURIComponent(namespace),
    plural: (pods ?? plural) as ConnectPath['plural'],
    name: decodeURIComponent(pods === undefined ? proxied : pod),
    connection: (connection ?? 'proxy') as Connection,
    rest,
  };
}
