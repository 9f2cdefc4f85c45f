// The way of an accepted connection to its filter chain: limit, original destination, hand-off, inspection, match.
import type { Socket } from 'node:net';
import type { ConnectionInfo, FilterChain } from '../runtime/tables.ts';
import type { ClusterManager } from '../upstream/cluster.ts';
import { handleHttpConnection } from './connection-manager.ts';
import { matchFilterChain } from './filter-chain-match.ts';
import type { Listener } from './listener.ts';
import type { ListenerManager } from './listener-manager.ts';
import { originalDestination } from './original-dst.ts';
import { type Inspection, inspect, inspectionFor, NOTHING_KNOWN } from './protocol-inspector.ts';
import { handleTcpConnection } from './tcp-proxy.ts';

export interface IntakeDeps {
  readonly clusters: ClusterManager;
  readonly draw: () => number;
  readonly now: () => number;
  readonly onFault: (error: unknown) => void;
  /** Most connections of one listener at a time; more are closed at once. */
  readonly maxConnections: number;
}

const EMPTY = Buffer.alloc(0);

/** Addresses of IPv4 clients on an IPv6 socket are written as IPv4. */
function plain(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/** Takes a connection that `accepting` has accepted; it is paused and nobody listens to it yet. */
export function takeConnection(socket: Socket, accepting: Listener, manager: ListenerManager, deps: IntakeDeps): void {
  const { stats } = accepting;
  if (stats.downstreamCxActive >= deps.maxConnections) {
    stats.downstreamCxOverflow++;
    socket.destroy();
    return;
  }
  const remoteAddress = plain(socket.remoteAddress);
  const remotePort = socket.remotePort ?? 0;
  // The client can be gone before it is looked at.
  if (remoteAddress === '') {
    socket.destroy();
    return;
  }
  const local = { address: plain(socket.localAddress), port: socket.localPort ?? 0 };
  const destination = (accepting.table.originalDst ? originalDestination(socket) : undefined) ?? local;
  const listener = accepting.table.useOriginalDst ? manager.handOff(destination, accepting) : accepting;
  count(socket, accepting);
  if (listener !== accepting) count(socket, listener);
  const proceed = (inspection: Inspection, bytes: Buffer): void => {
    // Read now: it may have been replaced while the client's first bytes were on their way.
    const { table } = listener;
    const info: ConnectionInfo = {
      destinationAddress: destination.address,
      destinationPort: destination.port,
      remoteAddress,
      remotePort,
      requestedServerName: inspection.serverName,
      listener: table,
    };
    try {
      const chain = matchFilterChain(table, { ...inspection, ...info });
      if (chain !== undefined) {
        serve(socket, bytes, info, chain, listener, deps);
        return;
      }
      listener.stats.noFilterChainMatch++;
    } catch (error) {
      deps.onFault(error);
    }
    socket.destroy();
  };
  const { table } = listener;
  const wanted = inspectionFor(table, destination.port);
  if (wanted === undefined) {
    proceed(NOTHING_KNOWN, EMPTY);
    return;
  }
  const { inspectTimeoutMs: timeoutMs, continueOnInspectTimeout: continueOnTimeout = false } = table;
  listener.unassigned.add(socket);
  inspect(socket, { ...wanted, timeoutMs, continueOnTimeout }, (outcome) => {
    listener.unassigned.remove(socket);
    if (listener.removed) socket.destroy();
    else if (outcome.kind === 'known') proceed(outcome.inspection, outcome.bytes);
    else {
      if (outcome.kind === 'timeout') listener.stats.downstreamPreCxTimeout++;
      socket.destroy();
    }
  });
}

function count(socket: Socket, { stats }: Listener): void {
  stats.downstreamCxTotal++;
  stats.downstreamCxActive++;
  socket.once('close', () => {
    stats.downstreamCxActive--;
    stats.downstreamCxDestroy++;
  });
}

function serve(
  socket: Socket,
  bytes: Buffer,
  info: ConnectionInfo,
  chain: FilterChain,
  listener: Listener,
  { clusters, draw, now, onFault }: IntakeDeps,
): void {
  const connections = listener.connectionsOf(chain);
  connections.add(socket);
  const deps = { clusters, draw, now, onFault, drain: connections.drain };
  if (chain.filter.kind === 'http') handleHttpConnection(socket, bytes, info, chain.filter.config, deps);
  else handleTcpConnection(socket, bytes, info, chain.filter.config, deps);
}
