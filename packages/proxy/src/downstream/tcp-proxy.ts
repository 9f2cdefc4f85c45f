// Carries a connection's bytes to a cluster and back, knowing nothing of what they mean (Envoy: tcp_proxy).
import type { Socket } from 'node:net';
import { closeFlushed } from '../close-flushed.ts';
import type { AccessLogEntry } from '../observe/access-log.ts';
import { formatEndpoint } from '../runtime/addresses.ts';
import type { ConnectionInfo, TcpProxyConfig } from '../runtime/tables.ts';
import { timerDelay } from '../timer-delay.ts';
import type { Cluster, ClusterManager } from '../upstream/cluster.ts';
import type { Host } from '../upstream/host.ts';
import { type ConnectFailure, connectUpstream, type PendingConnect } from '../upstream/socket.ts';
import { writeLent, writeOut } from '../write-lent.ts';
import type { Drainable, DrainSignal } from './drain.ts';

export interface TcpProxyDeps {
  readonly clusters: ClusterManager;
  readonly drain: DrainSignal;
  readonly draw: () => number;
  readonly now: () => number;
  readonly onFault: (error: unknown) => void;
}

/** Reads are handled to the end before the next one, so that one buffer serves every upstream connection. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/** 'close' follows an error and does the work. */
const leaveToClose = (): undefined => undefined;

/** The socket comes paused, half-open allowed; `initialBytes` is what inspection has read of it. */
export function handleTcpConnection(
  socket: Socket,
  initialBytes: Buffer,
  info: ConnectionInfo,
  config: TcpProxyConfig,
  deps: TcpProxyDeps,
): void {
  new TcpProxyConnection(socket, info, config, deps).start(initialBytes);
}

function chooseCluster(config: TcpProxyConfig, draw: () => number): string {
  const only = config.clusters[0];
  if (config.clusters.length === 1 && only !== undefined) return only.name;
  let point = draw() * config.clusters.reduce((sum, cluster) => sum + cluster.weight, 0);
  for (const { name, weight } of config.clusters) {
    if (point < weight) return name;
    point -= weight;
  }
  return config.clusters.at(-1)?.name ?? '';
}

class TcpProxyConnection implements Drainable {
  readonly #down: Socket;
  readonly #info: ConnectionInfo;
  readonly #config: TcpProxyConfig;
  readonly #deps: TcpProxyDeps;
  readonly #startTime: number;
  readonly #clusterName: string;
  #cluster: Cluster | undefined;
  #host: Host | undefined;
  #up: Socket | undefined;
  #pending: PendingConnect | undefined;
  #upstreamLocal: string | undefined;
  #flags = '';
  #failure: string | undefined;
  #received = 0;
  #sent = 0;
  #lastByteAt: number;
  #idleTimer: NodeJS.Timeout | undefined;
  #finished = false;

  constructor(socket: Socket, info: ConnectionInfo, config: TcpProxyConfig, deps: TcpProxyDeps) {
    this.#down = socket;
    this.#info = info;
    this.#config = config;
    this.#deps = deps;
    this.#startTime = deps.now();
    this.#lastByteAt = this.#startTime;
    this.#clusterName = chooseCluster(config, deps.draw);
  }

  start(initialBytes: Buffer): void {
    const { stats } = this.#config;
    stats.downstreamCxTotal++;
    this.#down.on('error', leaveToClose);
    this.#down.on('close', () => this.#end(this.#up));
    this.#deps.drain.join(this);
    this.#cluster = this.#deps.clusters.get(this.#clusterName);
    if (this.#cluster === undefined) {
      stats.downstreamCxNoRoute++;
      this.#fail('NC', undefined);
      return;
    }
    const originalDst = { address: this.#info.destinationAddress, port: this.#info.destinationPort };
    this.#host = this.#cluster.pick({ originalDst });
    if (this.#host === undefined) {
      this.#cluster.stats.upstreamCxNoneHealthy++;
      this.#fail('UH', undefined);
      return;
    }
    this.#connect(this.#cluster, this.#host, initialBytes);
  }

  drain(): void {
    // A stream of bytes has no point at which it could stop: it goes on until it ends or its listener's time is up.
  }

  #connect(cluster: Cluster, host: Host, initialBytes: Buffer): void {
    if (!cluster.breakers.allowsConnection) {
      this.#host = undefined;
      cluster.stats.upstreamCxOverflow++;
      this.#fail('UO', undefined);
      return;
    }
    cluster.breakers.inUse.connections++;
    host.active++;
    cluster.stats.upstreamCxTotal++;
    cluster.stats.upstreamCxActive++;
    this.#pending = connectUpstream(
      {
        host: host.address,
        port: host.port,
        localAddress: cluster.sourceAddress,
        mark: cluster.socketMark,
        timeoutMs: cluster.connectTimeoutMs,
      },
      {
        onConnect: (up) => {
          cluster.outliers?.onConnected(host, this.#deps.now());
          this.#onConnect(up, initialBytes);
        },
        onConnectFailed: (failure) => {
          cluster.outliers?.onLocalFailure(host, 'connect-failed', this.#deps.now());
          this.#onConnectFailed(cluster, failure);
        },
      },
      { buffer: READ_BUFFER, callback: (length) => this.#toDownstream(length) },
    );
  }

  #onConnectFailed(cluster: Cluster, failure: ConnectFailure): void {
    this.#pending = undefined;
    cluster.stats.upstreamCxConnectFail++;
    if (failure.kind === 'timeout') cluster.stats.upstreamCxConnectTimeout++;
    this.#fail('UF', failure.transport === '' ? failure.reason : failure.transport);
  }

  #onConnect(up: Socket, initialBytes: Buffer): void {
    this.#pending = undefined;
    this.#up = up;
    this.#upstreamLocal = formatEndpoint(up.localAddress ?? '', up.localPort ?? 0);
    up.on('error', leaveToClose);
    up.on('close', () => this.#end(this.#down));
    const down = this.#down;
    // A reader that cannot keep up holds the writer back: nothing is buffered beyond the sockets' own marks.
    down.on('data', (chunk: Buffer) => this.#toUpstream(chunk));
    up.on('drain', () => down.resume());
    down.on('drain', () => up.resume());
    // Half-close passes through: one direction may end long before the other.
    down.on('end', () => up.end());
    up.on('end', () => down.end());
    if (initialBytes.length > 0) this.#toUpstream(initialBytes);
    if (down.readableEnded) up.end();
    else if (!up.writableNeedDrain) down.resume();
    this.#armIdle(this.#config.idleTimeoutMs);
  }

  #toUpstream(chunk: Buffer): void {
    if (this.#finished) return;
    this.#received += chunk.length;
    this.#lastByteAt = this.#deps.now();
    if (!writeOut(this.#up!, chunk)) this.#down.pause();
  }

  /** `length` bytes are in the read buffer. */
  #toDownstream(length: number): boolean {
    if (this.#finished) return true;
    this.#sent += length;
    this.#lastByteAt = this.#deps.now();
    if (!writeLent(this.#down, READ_BUFFER, 0, length)) this.#up?.pause();
    return true;
  }

  /** One timer that is set again for what is left, rather than one reset for each chunk. */
  #armIdle(delayMs: number): void {
    if (this.#config.idleTimeoutMs === 0) return;
    this.#idleTimer = setTimeout(() => {
      const left = this.#lastByteAt + this.#config.idleTimeoutMs - this.#deps.now();
      if (left > 0) {
        this.#armIdle(left);
        return;
      }
      this.#config.stats.idleTimeout++;
      this.#destroy();
    }, timerDelay(delayMs));
  }

  #fail(flags: string, transportFailure: string | undefined): void {
    this.#flags = flags;
    this.#failure = transportFailure;
    this.#destroy();
  }

  #destroy(): void {
    this.#finish();
    this.#down.destroy();
    this.#up?.destroy();
  }

  /** One side is gone: what it sent still reaches the other, which then goes too. */
  #end(other: Socket | undefined): void {
    this.#finish();
    if (other !== undefined) closeFlushed(other);
  }

  /** Counts and logs, once, whoever comes first. */
  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    clearTimeout(this.#idleTimer);
    this.#pending?.cancel();
    this.#deps.drain.leave(this);
    if (this.#host !== undefined && this.#cluster !== undefined) {
      this.#host.active--;
      this.#cluster.stats.upstreamCxActive--;
      this.#cluster.breakers.inUse.connections--;
    }
    this.#config.stats.downstreamCxRxBytesTotal += this.#received;
    this.#config.stats.downstreamCxTxBytesTotal += this.#sent;
    try {
      for (const logger of this.#config.accessLogs) logger.log(this.#logEntry());
    } catch (error) {
      this.#deps.onFault(error);
    }
  }

  #logEntry(): AccessLogEntry {
    const info = this.#info;
    const absent = (): undefined => undefined;
    return {
      startTime: this.#startTime,
      method: undefined,
      path: undefined,
      protocol: undefined,
      responseCode: 0,
      responseFlags: this.#flags,
      responseCodeDetails: undefined,
      connectionTerminationDetails: undefined,
      upstreamTransportFailureReason: this.#failure,
      bytesReceived: this.#received,
      bytesSent: this.#sent,
      durationMs: this.#deps.now() - this.#startTime,
      upstreamServiceTimeMs: undefined,
      requestHeader: absent,
      responseHeader: absent,
      upstreamHost: this.#host?.label,
      upstreamCluster: this.#cluster?.name ?? this.#clusterName,
      upstreamLocalAddress: this.#upstreamLocal,
      downstreamLocalAddress: formatEndpoint(info.destinationAddress, info.destinationPort),
      downstreamRemoteAddress: formatEndpoint(info.remoteAddress, info.remotePort),
      requestedServerName: info.requestedServerName,
      routeName: undefined,
    };
  }
}
