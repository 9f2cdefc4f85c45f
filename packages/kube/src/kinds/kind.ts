// What the API server, the client and the controllers know about a kind. One row per kind, in kinds/index.ts.

/** Names a kind on the wire: enough to build its URL. */
export interface KindRef {
  /** '' for the core group. */
  readonly group: string;
  /** The version a client uses and the store keeps. */
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** `v1`, `apps/v1`. */
export function apiVersionOf(kind: { group: string; version: string }): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}

/** The URL path of a collection or, with a name, of one object. */
export function pathOf(kind: KindRef, namespace?: string, name?: string, subresource?: string): string {
  const base = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const scope = kind.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const item = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${base}${scope}/${kind.plural}${item}${subresource === undefined ? '' : `/${subresource}`}`;
}
