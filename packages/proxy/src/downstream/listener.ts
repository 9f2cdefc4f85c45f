// One listener as it is carried out: its present table, its connections by filter chain, and how they end.
import type { Socket } from 'node:net';
import type { ListenerStats } from '../observe/stats.ts';
import type { FilterChain, ListenerTable } from '../runtime/tables.ts';
import { DrainSignal } from './drain.ts';

/** The connections of one filter chain; they are asked to end when the chain is no longer there. */
export class ChainConnections {
  readonly drain = new DrainSignal();
  readonly #sockets = new Set<Socket>();

  get size(): number {
    return this.#sockets.size;
  }

  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** Somebody else looks after it from now on. */
  remove(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  /** Asks every connection to finish and ends by force what has not after `limitMs`. Settles when none is left. */
  async end(limitMs: number): Promise<void> {
    this.drain.begin();
    if (this.#sockets.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.destroy();
      resolve();
    }, limitMs);
    for (const socket of this.#sockets) {
      socket.once('close', () => {
        if (this.#sockets.size === 0) resolve();
      });
    }
    await promise;
    clearTimeout(timer);
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

export class Listener {
  readonly stats: ListenerStats;
  #table: ListenerTable;
  /** Those whose filter chain is not chosen yet: a client that sends nothing can stay among them for long. */
  readonly unassigned = new ChainConnections();
  #removed = false;
  #connections = new Map<FilterChain, ChainConnections>();

  constructor(table: ListenerTable, stats: ListenerStats) {
    this.#table = table;
    this.stats = stats;
  }

  get table(): ListenerTable {
    return this.#table;
  }

  /** No longer there: a connection that is still being looked at has nowhere to go. */
  get removed(): boolean {
    return this.#removed;
  }

  connectionsOf(chain: FilterChain): ChainConnections {
    let connections = this.#connections.get(chain);
    if (connections === undefined) {
      connections = new ChainConnections();
      this.#connections.set(chain, connections);
    }
    return connections;
  }

  /** Takes the new table; a chain that did not change keeps its object and so its connections. Returns the rest. */
  replace(next: ListenerTable): readonly ChainConnections[] {
    const known = new Map(
      [...this.#table.chains, ...(this.#table.defaultChain ? [this.#table.defaultChain] : [])].map((chain) => [
        chain.fingerprint.toString('latin1'),
        chain,
      ]),
    );
    const keep = (chain: FilterChain): FilterChain => known.get(chain.fingerprint.toString('latin1')) ?? chain;
    this.#table = {
      ...next,
      chains: next.chains.map(keep),
      defaultChain: next.defaultChain && keep(next.defaultChain),
    };
    const kept = new Set([...this.#table.chains, this.#table.defaultChain]);
    const gone: ChainConnections[] = [];
    for (const [chain, connections] of this.#connections) {
      if (kept.has(chain)) continue;
      this.#connections.delete(chain);
      gone.push(connections);
    }
    return gone;
  }

  /** Every chain's connections, which are no longer this listener's. */
  release(): readonly ChainConnections[] {
    const all = [...this.#connections.values()];
    this.#connections = new Map();
    return all;
  }

  /** The listener has gone. */
  remove(): readonly ChainConnections[] {
    this.#removed = true;
    // Nothing has been asked on these yet, so there is nothing to wait for.
    this.unassigned.destroy();
    return this.release();
  }
}
