// Reads the path of a request for objects, and whether it is to be watched.

export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

/** Undefined when the path does not name objects; throws URIError when it is not properly encoded. */
export function parseResourcePath(path: string): ResourcePath | undefined {
  const segments = path.replace(/\/$/, '').split('/').slice(1).map(decodeURIComponent);
  if (segments.some((segment) => segment === '')) return undefined;
  const [root, ...rest] = segments;
  if (root === 'api') return below('', rest);
  if (root === 'apis') {
    const [group = '', ...inGroup] = rest;
    return below(group, inGroup);
  }
  return undefined;
}

/** Whether the query asks for a watch (apimachinery Convert_Slice_string_To_bool). */
export function isWatch(query: URLSearchParams): boolean {
  const text = query.get('watch');
  return text !== null && text.toLowerCase() !== 'false' && text !== '0';
}

function below(group: string, [version, ...rest]: readonly string[]): ResourcePath | undefined {
  if (version === undefined || rest.length === 0) return undefined;
  const [first = '', second, third, ...more] = rest;
  // /namespaces/NAME/status and /finalize are about the namespace itself, all else under it about its content.
  const inside =
    first === 'namespaces' && second !== undefined && third !== undefined && third !== 'status' && third !== 'finalize';
  const [plural, name, subresource, ...extra] = inside ? [third, ...more] : [first, second, third, ...more];
  if (plural === undefined || extra.length > 0) return undefined;
  return {
    group,
    version,
    plural,
    ...(inside && second !== undefined ? { namespace: second } : {}),
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}
