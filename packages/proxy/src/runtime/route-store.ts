// Route tables by name, as RDS has given them; connection managers read the present one anew for each request.
import type { RouteTable } from '@varka/decide/route-table.ts';
import type { RouteSource } from './tables.ts';

class LiveRoutes implements RouteSource {
  readonly name: string;
  table: RouteTable | undefined = undefined;
  readonly #first = Promise.withResolvers<void>();

  constructor(name: string) {
    this.name = name;
  }

  get known(): Promise<void> {
    return this.#first.promise;
  }

  set(table: RouteTable): void {
    this.table = table;
    this.#first.resolve();
  }
}

export class RouteStore {
  readonly #sources = new Map<string, LiveRoutes>();

  /** The one source of that name: listeners that come and go share it. */
  source(name: string): RouteSource {
    return this.#live(name);
  }

  get names(): readonly string[] {
    return [...this.#sources.keys()].sort();
  }

  /** Swaps all of them in one step; tables that nobody asked for are left out. */
  set(tables: readonly RouteTable[]): void {
    for (const table of tables) this.#sources.get(table.name)?.set(table);
  }

  /** Settles when each of these has had its first table. */
  async known(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.#live(name).known));
  }

  /** Forgets what no listener refers to any more. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#sources.keys()) if (!names.has(name)) this.#sources.delete(name);
  }

  #live(name: string): LiveRoutes {
    let live = this.#sources.get(name);
    if (live === undefined) {
      live = new LiveRoutes(name);
      this.#sources.set(name, live);
    }
    return live;
  }
}
