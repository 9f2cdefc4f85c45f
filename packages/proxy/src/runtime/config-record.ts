// The resources in force, as they came, with version and time: what /config_dump shows.
import type { Message } from '@bufbuild/protobuf';

export interface Recorded<T extends Message> {
  readonly resource: T;
  readonly version: string;
  readonly updatedAt: number;
}

/** One resource type. */
export class ConfigRecord<T extends Message> {
  readonly #entries = new Map<string, Recorded<T>>();
  /** Of the last accepted answer. */
  version = '';
  /** Why the last answer was refused; undefined when it was accepted. */
  rejection: { readonly version: string; readonly details: string; readonly at: number } | undefined = undefined;

  get entries(): ReadonlyMap<string, Recorded<T>> {
    return this.#entries;
  }

  /** `complete`: what is not among them is gone (CDS, LDS). Resources with the same bytes keep their time. */
  accept(
    resources: readonly { readonly name: string; readonly resource: T; readonly changed: boolean }[],
    version: string,
    now: number,
    complete: boolean,
  ): void {
    this.version = version;
    this.rejection = undefined;
    if (complete) {
      const names = new Set(resources.map((each) => each.name));
      for (const name of this.#entries.keys()) if (!names.has(name)) this.#entries.delete(name);
    }
    for (const { name, resource, changed } of resources) {
      if (!changed && this.#entries.has(name)) continue;
      this.#entries.set(name, { resource, version, updatedAt: now });
    }
  }

  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#entries.keys()) if (!names.has(name)) this.#entries.delete(name);
  }
}
