// What a request wants to do, as roles speak of it (apiserver RequestInfo).
import { parseResourcePath } from '../path.ts';
import { parseConnectPath } from '../streams/connect-path.ts';

export interface ResourceAttributes {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

export type Attributes = ResourceAttributes | { readonly verb: string; readonly path: string };

/** Throws URIError when the path is not properly encoded. */
export function attributesOf(method: string, { pathname, searchParams }: URL): Attributes {
  const connection = parseConnectPath(pathname);
  if (connection !== undefined) {
    const { namespace, plural: resource, name, connection: subresource } = connection;
    // A proxied name may carry a scheme and a port.
    const [first = '', second] = name.split(':');
    const bare = name.split(':').length === 3 ? (second ?? '') : first;
    return { verb: nameVerb(method), group: '', resource, subresource, namespace, name: bare };
  }
  const path = parseResourcePath(pathname);
  if (path === undefined) return { verb: method.toLowerCase(), path: pathname };
  const { group, plural: resource, subresource } = path;
  // A namespace counts as an object within itself.
  const namespace = resource === 'namespaces' && group === '' ? path.name : path.namespace;
  return {
    verb: path.name === undefined ? collectionVerb(method, searchParams) : nameVerb(method),
    group,
    resource,
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(path.name === undefined ? {} : { name: path.name }),
  };
}

function nameVerb(method: string): string {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    default:
      return method.toLowerCase();
  }
}

function collectionVerb(method: string, query: URLSearchParams): string {
  if (method === 'DELETE') return 'deletecollection';
  if (method !== 'GET' && method !== 'HEAD') return nameVerb(method);
  const watch = query.get('watch');
  return watch === null || watch === 'false' || watch === '0' ? 'list' : 'watch';
}
