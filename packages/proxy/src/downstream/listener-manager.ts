// The listeners of one proxy: binds and unbinds their addresses, hands redirected connections to the listener of their
// original destination, and swaps tables in one step.
import { isIPv4, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { StatsStore } from '../observe/stats.ts';
import { formatEndpoint, type SocketEndpoint } from '../runtime/addresses.ts';
import type { ListenerTable } from '../runtime/tables.ts';
import { type ChainConnections, Listener } from './listener.ts';
import { ListeningSocket } from './listening-socket.ts';
import { prepareOriginalDst } from './original-dst.ts';

export type Origin = 'static' | 'dynamic';

export interface ListenerManagerDeps {
  readonly stats: StatsStore;
  readonly log: (level: 'info' | 'warning' | 'error', text: string) => void;
  /** A connection on `accepting`, whose socket is bound to `local`. */
  readonly onConnection: (socket: Socket, accepting: Listener) => void;
  /** How long connections of a listener or chain that is gone may go on. */
  readonly drainTimeMs: number;
}

interface Entry {
  readonly origin: Origin;
  readonly listener: Listener;
}

export class ListenerManager {
  readonly #deps: ListenerManagerDeps;
  readonly #entries = new Map<string, Entry>();
  /** By `address:port` as configured. */
  readonly #sockets = new Map<string, ListeningSocket>();
  readonly #ending = new Set<Promise<void>>();
  /** Asked to finish, but not yet given a time by which to. */
  readonly #leaving: ChainConnections[] = [];
  #draining = false;

  constructor(deps: ListenerManagerDeps) {
    this.#deps = deps;
  }

  get listeners(): readonly Listener[] {
    return [...this.#entries.values()].map((entry) => entry.listener);
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Where a listener really is: port 0 has become a number. */
  boundTo(table: ListenerTable): SocketEndpoint {
    return this.#sockets.get(keyOf(table))?.endpoint ?? table;
  }

  /** A table of another origin with this name or address, which keeps it. */
  conflicts(origin: Origin, tables: readonly ListenerTable[]): readonly string[] {
    const others = [...this.#entries.values()].filter((entry) => entry.origin !== origin);
    const names = new Set(others.map((entry) => entry.listener.table.name));
    const addresses = new Map(others.map((entry) => [keyOf(entry.listener.table), entry.listener.table.name]));
    const errors: string[] = [];
    for (const table of tables) {
      if (names.has(table.name)) errors.push(`listener ${table.name}: the name is there twice`);
      const holder = addresses.get(keyOf(table));
      if (holder !== undefined && table.port !== 0)
        errors.push(`listener ${table.name}: ${keyOf(table)} is also the address of listener ${holder}`);
      names.add(table.name);
      addresses.set(keyOf(table), table.name);
    }
    return errors;
  }

  /**
   * Makes `tables` all there is of this origin. New addresses are bound first; if one can't be, nothing changes and
   * the errors come back.
   */
  async apply(origin: Origin, tables: readonly ListenerTable[]): Promise<readonly string[]> {
    const conflicts = this.conflicts(origin, tables);
    if (conflicts.length > 0) return conflicts;
    const opened = await this.#bindNew(tables);
    if (opened.kind === 'errors') return opened.errors;
    for (const [key, socket] of opened.sockets) this.#sockets.set(key, socket);
    this.#swap(origin, tables);
    return [];
  }

  /**
   * The listener of an original destination: the exact address, else the wildcard of its port
   * (Listener.use_original_dst; Envoy: getBalancedHandlerByAddress).
   */
  handOff(destination: SocketEndpoint, accepting: Listener): Listener {
    const wildcard = isIPv4(destination.address) ? '0.0.0.0' : '::';
    for (const address of [destination.address, wildcard]) {
      const found = this.#byAddress.get(formatEndpoint(address, destination.port));
      if (found !== undefined && found !== accepting) return found;
    }
    return accepting;
  }

  /** Whether a connection to this address would come back to one of our own sockets. */
  isOwnAddress(address: string, port: number): boolean {
    for (const { endpoint } of this.#sockets.values()) {
      if (endpoint.port !== port) continue;
      if (endpoint.address === address) return true;
      if ((endpoint.address === '0.0.0.0' || endpoint.address === '::') && isLocal(address)) return true;
    }
    return false;
  }

  /** Asks every present connection to finish; new ones are still taken, for those who don't know yet. */
  beginDrain(): void {
    this.#draining = true;
    for (const listener of this.listeners)
      for (const connections of listener.release()) {
        connections.drain.begin();
        this.#leaving.push(connections);
      }
  }

  /** Stops accepting and asks every connection to finish; settles when none is left, after `limitMs` at the latest. */
  async drain(limitMs: number): Promise<void> {
    this.beginDrain();
    for (const socket of this.#sockets.values()) socket.close();
    await Promise.all([...this.#leaving.splice(0).map((connections) => connections.end(limitMs)), ...this.#ending]);
  }

  /** Ends everything now. */
  destroy(): void {
    this.#draining = true;
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
    for (const listener of this.listeners) this.#leaving.push(...listener.remove());
    for (const connections of this.#leaving.splice(0)) connections.destroy();
    this.#entries.clear();
  }

  #byAddress = new Map<string, Listener>();

  async #bindNew(
    tables: readonly ListenerTable[],
  ): Promise<
    | { readonly kind: 'sockets'; readonly sockets: ReadonlyMap<string, ListeningSocket> }
    | { readonly kind: 'errors'; readonly errors: readonly string[] }
  > {
    const sockets = new Map<string, ListeningSocket>();
    const errors: string[] = [];
    for (const table of tables) {
      const key = keyOf(table);
      if (!table.bindToPort || this.#sockets.has(key)) continue;
      try {
        // Found by name when a connection comes: the table may have been replaced, or the listener's name may be new.
        const socket = await ListeningSocket.open(table, (connection) => this.#accept(connection, key));
        socket.onError((error) => this.#deps.log('warning', `${key}: accept failed: ${error.message}`));
        sockets.set(key, socket);
      } catch (error) {
        errors.push(`listener ${table.name}: ${(error as Error).message}`);
      }
    }
    if (errors.length === 0) return { kind: 'sockets', sockets };
    for (const socket of sockets.values()) socket.close();
    return { kind: 'errors', errors };
  }

  #swap(origin: Origin, tables: readonly ListenerTable[]): void {
    const wanted = new Map(tables.map((table) => [table.name, table]));
    for (const [name, entry] of this.#entries) {
      if (entry.origin !== origin || wanted.has(name)) continue;
      this.#entries.delete(name);
      this.#deps.stats.dropListener(name);
      this.#end(entry.listener.remove());
      this.#deps.log('info', `listener ${name}: removed`);
    }
    for (const table of tables) {
      const entry = this.#entries.get(table.name);
      if (entry !== undefined) this.#end(entry.listener.replace(table));
      else {
        const listener = new Listener(table, this.#deps.stats.listener(table.name));
        this.#entries.set(table.name, { origin, listener });
        this.#deps.log('info', `listener ${table.name}: added, ${keyOf(table)}`);
      }
      if (table.originalDst) prepareOriginalDst();
    }
    this.#byAddress = new Map(this.listeners.map((listener) => [keyOf(listener.table), listener]));
    this.#closeUnused();
  }

  #closeUnused(): void {
    const used = new Set(
      this.listeners.filter((listener) => listener.table.bindToPort).map(({ table }) => keyOf(table)),
    );
    for (const [key, socket] of this.#sockets) {
      if (used.has(key)) continue;
      socket.close();
      this.#sockets.delete(key);
    }
  }

  #end(gone: readonly ChainConnections[]): void {
    for (const connections of gone) {
      const ended = connections.end(this.#deps.drainTimeMs).then(() => {
        this.#ending.delete(ended);
      });
      this.#ending.add(ended);
    }
  }

  #accept(socket: Socket, key: string): void {
    const listener = this.#byAddress.get(key);
    // Bound, but its table is not live yet or no longer.
    if (listener === undefined) socket.destroy();
    else this.#deps.onConnection(socket, listener);
  }
}

function keyOf(table: ListenerTable): string {
  // Port 0 is a different port each time, so such listeners are told apart by name.
  return table.port === 0
    ? `${table.name}@${formatEndpoint(table.address, 0)}`
    : formatEndpoint(table.address, table.port);
}

function isLocal(address: string): boolean {
  if (/^127\./.test(address) || address === '::1') return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((each) => each.address === address));
}
