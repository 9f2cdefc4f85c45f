// The kinds that are served right now: the built-in table, and what users add with CustomResourceDefinitions.
import { KINDS } from '../kinds/index.ts';
import { type KindRow, resourceOf, singularOf } from '../kinds/row.ts';

export interface ServedGroup {
  readonly name: string;
  /** The preferred version first. */
  readonly versions: readonly { readonly name: string; readonly rows: readonly KindRow[] }[];
}

export class KindRegistry {
  readonly #builtIn: readonly KindRow[];
  readonly #custom = new Map<string, KindRow>();
  /** Grows with every change, so that documents made from the registry can be kept until it does. */
  generation = 0;

  constructor(builtIn: readonly KindRow[] = KINDS) {
    this.#builtIn = builtIn;
  }

  rows(): readonly KindRow[] {
    return [...this.#builtIn, ...this.#custom.values()];
  }

  find(group: string, version: string, plural: string): KindRow | undefined {
    return this.rows().find((row) => row.group === group && row.plural === plural && row.versions.includes(version));
  }

  /** A row by its store key (`pods`, `virtualservices.networking.istio.io`). */
  byResource(resource: string): KindRow | undefined {
    return this.rows().find((row) => row.view === undefined && resourceOf(row) === resource);
  }

  isBuiltIn(resource: string): boolean {
    return this.#builtIn.some((row) => resourceOf(row) === resource);
  }

  /** What else already goes by one of these names in the group; Kubernetes calls it a names conflict. */
  nameConflict(row: KindRow): string | undefined {
    const others = this.rows().filter((other) => other.group === row.group && resourceOf(other) !== resourceOf(row));
    const taken = new Set(
      others.flatMap((other) => [other.kind, other.plural, singularOf(other), ...(other.shortNames ?? [])]),
    );
    return [row.kind, singularOf(row), ...(row.shortNames ?? [])].find((name) => taken.has(name));
  }

  put(row: KindRow): void {
    this.#custom.set(resourceOf(row), row);
    this.generation += 1;
  }

  remove(resource: string): void {
    if (this.#custom.delete(resource)) this.generation += 1;
  }

  /** Core first, then in the order of the table. */
  groups(): ServedGroup[] {
    const groups = new Map<string, Map<string, KindRow[]>>();
    for (const row of this.rows()) {
      const versions = groups.get(row.group) ?? new Map<string, KindRow[]>();
      groups.set(row.group, versions);
      for (const version of row.versions) versions.set(version, [...(versions.get(version) ?? []), row]);
    }
    return [...groups].map(([name, versions]) => ({
      name,
      versions: [...versions]
        .sort(([left], [right]) => versionOrder(left, right))
        .map(([version, rows]) => ({ name: version, rows })),
    }));
  }
}

/** Kubernetes' order of versions: stable before beta before alpha, higher before lower. */
function versionOrder(left: string, right: string): number {
  const rank = (text: string): [number, number, number] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(text);
    if (match === null) return [3, 0, 0];
    return [match[2] === undefined ? 0 : match[2] === 'beta' ? 1 : 2, -Number(match[1]), -Number(match[3] ?? 0)];
  };
  const [a, b] = [rank(left), rank(right)];
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
