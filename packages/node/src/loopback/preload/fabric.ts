// One process's view of the cluster's network: who it is there, what the node agent's table says now, and where the
// sockets are.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Mount } from '../../sandbox/pod-network.ts';
import { type FabricTable, TABLE_FILE } from '../fabric-table.ts';
import { type NameAnswer, type ResolverConfig, resolveName } from '../names.ts';
import { type Caller, type Place, type Route, route } from '../route.ts';

/** Told to every process of a pod as VARKA_FABRIC, in JSON. */
export interface Membership extends ResolverConfig {
  /** Of the network: its table, and a directory of sockets for each address. */
  readonly network: string;
  readonly address: string;
  readonly kind: Caller['kind'];
  readonly hostname: string;
  /** What is to be seen at other places than it is. */
  readonly mounts?: readonly Mount[];
  /** Variables that the node agent set for programs without a preload; null when there was none before. */
  readonly restore?: Readonly<Record<string, string | null>>;
}

export class Fabric {
  readonly membership: Membership;
  #table: FabricTable | undefined;
  #stamp = '';
  #nextPort = 32_768 + Math.floor(Math.random() * 28_000);

  constructor(membership: Membership) {
    this.membership = membership;
  }

  /** As it is now: the file is replaced as a whole at every change. */
  get table(): FabricTable {
    const path = join(this.membership.network, TABLE_FILE);
    const { ino, mtimeMs, size } = statSync(path);
    const stamp = `${ino} ${mtimeMs} ${size}`;
    if (this.#table === undefined || stamp !== this.#stamp) {
      this.#table = JSON.parse(readFileSync(path, 'utf8')) as FabricTable;
      this.#stamp = stamp;
    }
    return this.#table;
  }

  get isPod(): boolean {
    return this.membership.kind !== 'node';
  }

  route(address: string, port: number, source: string | undefined): Route {
    const { address: own, kind } = this.membership;
    return route({ address: own, kind, source }, { address, port }, this.table, Math.random);
  }

  resolve(name: string): NameAnswer {
    // The node's own names are the machine's.
    return this.isPod ? resolveName(name, this.membership, this.table) : { kind: 'outside', name };
  }

  /** A port for the near end of a connection. */
  ephemeralPort(): number {
    this.#nextPort = this.#nextPort >= 60_999 ? 32_768 : this.#nextPort + 1;
    return this.#nextPort;
  }

  /** One that nothing listens on. */
  freePort(address: string): number {
    for (let tried = 0; tried < 28_000; tried++) {
      const port = this.ephemeralPort();
      const taken = (['pod', 'loopback'] as const).some((scope) => existsSync(this.pathOf({ address, port, scope })));
      if (!taken) return port;
    }
    throw new Error(`every port of ${address} is taken`);
  }

  pathOf({ address, port, scope }: Place): string {
    return join(this.membership.network, address, scope === 'pod' ? String(port) : `${port}.lo`);
  }
}
