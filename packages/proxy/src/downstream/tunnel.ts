// After 101 Switching Protocols: bytes both ways, at the pace of the slower side, each direction ending on its own.
import type net from 'node:net';
import type { HttpConnection } from '../upstream/http-connection.ts';
import { writeLent } from '../write-lent.ts';

export class Tunnel {
  bytesReceived = 0;
  bytesSent = 0;
  readonly #downstream: net.Socket;
  readonly #upstream: HttpConnection;
  #downstreamEnded = false;
  #upstreamEnded = false;

  constructor(downstream: net.Socket, upstream: HttpConnection) {
    this.#downstream = downstream;
    this.#upstream = upstream;
  }

  /** Both directions have ended. */
  get ended(): boolean {
    return this.#downstreamEnded && this.#upstreamEnded;
  }

  fromDownstream(bytes: Buffer): void {
    this.bytesReceived += bytes.length;
    if (!this.#upstream.write(bytes)) this.#downstream.pause();
  }

  /** `bytes` are lent for the call only. */
  fromUpstream(bytes: Buffer, from: number, to: number): void {
    this.bytesSent += to - from;
    if (!writeLent(this.#downstream, bytes, from, to)) this.#upstream.pauseReading();
  }

  upstreamDrained(): void {
    this.#downstream.resume();
  }

  downstreamDrained(): void {
    this.#upstream.resumeReading();
  }

  endDownstream(): void {
    this.#downstreamEnded = true;
    this.#upstream.socket?.end();
  }

  endUpstream(): void {
    this.#upstreamEnded = true;
    this.#downstream.end();
  }
}
