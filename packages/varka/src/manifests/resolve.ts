// Which kind each document means. All are looked up before the first is applied, so that a misspelt kind in the last
// document does not leave half of the rest behind.
import type { DiscoveredKind } from '@varka/kube/client/client.ts';
import type { KindRef } from '@varka/kube/kinds/kind.ts';
import { apiVersionOf } from '@varka/kube/kinds/kind.ts';
import type { KubeObject } from '@varka/kube/object.ts';
import { problem } from '../errors.ts';
import type { ManifestDocument } from './read.ts';

export interface ResolvedDocument extends ManifestDocument {
  readonly kind: KindRef;
}

interface DefinedKind {
  readonly spec?: {
    readonly group?: string;
    readonly scope?: string;
    readonly names?: { readonly kind?: string; readonly plural?: string };
    readonly versions?: readonly { readonly name?: string; readonly served?: boolean }[];
  };
}

/** The kinds that CustomResourceDefinitions among the documents bring along. */
function definedBy(object: KubeObject): KindRef[] {
  if (object.kind !== 'CustomResourceDefinition') return [];
  const { group, scope, names, versions = [] } = (object as DefinedKind).spec ?? {};
  if (group === undefined || names?.kind === undefined || names.plural === undefined) return [];
  const { kind, plural } = names;
  return versions.map(({ name = '' }) => ({ group, version: name, kind, plural, namespaced: scope === 'Namespaced' }));
}

/** Edit distance, to find what was meant. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitute));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function suggestion(apiVersion: string, kind: string, known: readonly KindRef[]): { detail: string; remedy: string } {
  const sameKind = known.filter((ref) => ref.kind === kind).map(apiVersionOf);
  if (sameKind.length > 0)
    return { detail: `${kind} is served as ${[...new Set(sameKind)].join(', ')}`, remedy: 'correct the apiVersion' };
  const near = known
    .map((ref) => ({ ref, far: distance(ref.kind.toLowerCase(), kind.toLowerCase()) }))
    .filter(({ far }) => far <= Math.max(2, kind.length / 4))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3);
  if (near.length > 0) {
    const names = near.map(({ ref }) => `${ref.kind} (${apiVersionOf(ref)})`);
    return { detail: `near it: ${names.join(', ')}`, remedy: 'correct the kind' };
  }
  return {
    detail: `this API does not serve it; it serves ${known.length} others`,
    remedy: `list them with \`kubectl api-resources\`; for ${apiVersion}, apply its CustomResourceDefinition too`,
  };
}

/** `served` are all kinds in all served versions. */
export function resolveKinds(
  documents: readonly ManifestDocument[],
  served: readonly (KindRef | DiscoveredKind)[],
): ResolvedDocument[] {
  const known = [...served, ...documents.flatMap(({ object }) => definedBy(object))];
  const table = new Map(known.map((ref) => [`${apiVersionOf(ref)} ${ref.kind}`, ref]));
  return documents.map((document) => {
    const { apiVersion = '', kind = '' } = document.object;
    const ref = table.get(`${apiVersion} ${kind}`);
    if (ref === undefined) {
      const { path, line, index } = document;
      throw problem('unknown-kind', { path, line, index, kind, apiVersion, ...suggestion(apiVersion, kind, known) });
    }
    return { ...document, kind: ref };
  });
}
