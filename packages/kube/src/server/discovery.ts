// What tells a client which kinds there are: /api, /apis, their versions, and the aggregated form kubectl prefers.
import { apiVersionOf } from '../kinds/kind.ts';
import { type KindRow, singularOf } from '../kinds/row.ts';
import type { KindRegistry, ServedGroup } from './kind-registry.ts';

const VERBS: readonly string[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const verbsOf = ({ transient, measured }: KindRow): readonly string[] =>
  transient === true ? ['create'] : measured === true ? ['get', 'list'] : VERBS;

interface Subresource {
  readonly name: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly verbs: readonly string[];
}

function subresourcesOf(row: KindRow, version: string): Subresource[] {
  const own = { group: row.group, version, kind: row.kind };
  const { status, scale, log, binding, finalize, token, connections = {} } = row.subresources ?? {};
  return [
    ...Object.entries(connections).map(([name, kind]) => ({
      name,
      kind: { group: '', version: 'v1', kind },
      verbs: name === 'proxy' ? ['create', 'delete', 'get', 'patch', 'update'] : ['create', 'get'],
    })),
    ...(binding === true
      ? [{ name: 'binding', kind: { group: '', version: 'v1', kind: 'Binding' }, verbs: ['create'] }]
      : []),
    ...(finalize === true ? [{ name: 'finalize', kind: own, verbs: ['update'] }] : []),
    ...(log === true ? [{ name: 'log', kind: own, verbs: ['get'] }] : []),
    ...(scale === undefined
      ? []
      : [
          {
            name: 'scale',
            kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
            verbs: ['get', 'patch', 'update'],
          },
        ]),
    ...(token === true
      ? [
          {
            name: 'token',
            kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
            verbs: ['create'],
          },
        ]
      : []),
    ...(status === true ? [{ name: 'status', kind: own, verbs: ['get', 'patch', 'update'] }] : []),
  ];
}

/** GET /api */
export function apiVersions(): object {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
}

/** GET /apis */
export function apiGroupList(registry: KindRegistry): object {
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: registry
      .groups()
      .filter((group) => group.name !== '')
      .map((group) => groupEntry(group)),
  };
}

/** GET /apis/GROUP; undefined when there is no such group. */
export function apiGroup(registry: KindRegistry, name: string): object | undefined {
  const group = registry.groups().find((one) => one.name === name);
  return group === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(group) };
}

function groupEntry(group: ServedGroup): object {
  const versions = group.versions.map(({ name }) => ({ groupVersion: `${group.name}/${name}`, version: name }));
  return { name: group.name, versions, preferredVersion: versions[0] };
}

/** GET /api/v1 and /apis/GROUP/VERSION; undefined when there is no such version. */
export function apiResourceList(registry: KindRegistry, group: string, version: string): object | undefined {
  const served = registry
    .groups()
    .find((one) => one.name === group)
    ?.versions.find((one) => one.name === version);
  if (served === undefined) return undefined;
  const resources = served.rows.flatMap((row) => [
    {
      name: row.plural,
      singularName: singularOf(row),
      namespaced: row.namespaced,
      kind: row.kind,
      verbs: verbsOf(row),
      ...(row.shortNames === undefined ? {} : { shortNames: row.shortNames }),
      ...(row.categories === undefined ? {} : { categories: row.categories }),
    },
    ...subresourcesOf(row, version).map((sub) => ({
      name: `${row.plural}/${sub.name}`,
      singularName: '',
      namespaced: row.namespaced,
      ...(sub.kind.group === group ? {} : { group: sub.kind.group, version: sub.kind.version }),
      kind: sub.kind.kind,
      verbs: sub.verbs,
    })),
  ]);
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersionOf({ group, version }), resources };
}

/** The whole of /api or of /apis in one answer (apidiscovery.k8s.io, kubectl 1.26 and later). */
export function aggregated(registry: KindRegistry, core: boolean, version: string): object {
  const groups = registry.groups().filter((group) => (group.name === '') === core);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: group.name === '' ? { creationTimestamp: null } : { name: group.name, creationTimestamp: null },
      versions: group.versions.map((served) => ({
        version: served.name,
        freshness: 'Current',
        resources: served.rows.map((row) => discoveryEntry(row, served.name)),
      })),
    })),
  };
}

function discoveryEntry(row: KindRow, version: string): object {
  const subresources = subresourcesOf(row, version);
  return {
    resource: row.plural,
    responseKind: { group: row.group, version, kind: row.kind },
    scope: row.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singularOf(row),
    verbs: verbsOf(row),
    ...(row.shortNames === undefined ? {} : { shortNames: row.shortNames }),
    ...(row.categories === undefined ? {} : { categories: row.categories }),
    ...(subresources.length === 0
      ? {}
      : {
          subresources: subresources.map((sub) => ({
            subresource: sub.name,
            responseKind: sub.kind,
            verbs: sub.verbs,
          })),
        }),
  };
}
