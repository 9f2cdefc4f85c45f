// What a request wants to do, as roles speak of it (apiserver RequestInfo).
import { isWatch, parseResourcePath, type ResourcePath } from '../path.ts';
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
    // A proxied name with its scheme and port: a rule for names names those too.
    return { verb: nameVerb(method), group: '', resource, subresource, namespace, name };
  }
  const path = parseResourcePath(pathname);
  if (path === undefined) return { verb: method.toLowerCase(), path: pathname };
  const { group, plural: resource, subresource } = path;
  // A namespace counts as an object within itself.
  const namespace = resource === 'namespaces' && group === '' ? path.name : path.namespace;
  return {
    verb: verbOf(method, searchParams, path),
    group,
    resource,
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(path.name === undefined ? {} : { name: path.name }),
  };
}

function verbOf(method: string, query: URLSearchParams, { name, subresource }: ResourcePath): string {
  const reads = method === 'GET' || method === 'HEAD';
  if (reads && subresource === undefined && isWatch(query)) return 'watch';
  return name === undefined ? collectionVerb(method) : nameVerb(method);
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

function collectionVerb(method: string): string {
  if (method === 'DELETE') return 'deletecollection';
  return method === 'GET' || method === 'HEAD' ? 'list' : nameVerb(method);
}
