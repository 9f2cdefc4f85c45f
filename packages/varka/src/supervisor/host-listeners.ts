// The listening sockets of the host's network, which this process cannot open itself: the front does, and hands them over.
import type { Server } from 'node:net';
import type { Published } from '../front/listeners.ts';
import type { FromSupervisor, ListenRefusal } from '../protocol.ts';

/** A port of the host that cannot be listened on. */
export class ListenRefusedError extends Error {
  readonly code: string;

  constructor({ code, message }: ListenRefusal) {
    super(message);
    this.code = code;
  }
}

export class HostListeners {
  readonly #ask: (message: FromSupervisor) => void;
  /** By name; each is waited for once. */
  readonly #arrivals = new Map<string, PromiseWithResolvers<Server>>();
  #asked = 0;

  constructor(ask: (message: FromSupervisor) => void) {
    this.#ask = ask;
  }

  /** One that the front opens unasked, whenever it comes. */
  published(name: Published): Promise<Server> {
    return this.#arrival(name).promise;
  }

  /** Rejects with a `ListenRefusedError`. The socket is the caller's, to close it too. */
  open(host: string, port: number): Promise<Server> {
    // Each question has its own answer: two services may ask for one port at the same time, and one of them gets it.
    const name = `${host}:${port} ${++this.#asked}`;
    const { promise } = this.#arrival(name);
    this.#ask({ type: 'listen', name, host, port });
    return promise.finally(() => this.#arrivals.delete(name));
  }

  async isFree(host: string, port: number): Promise<boolean> {
    try {
      (await this.open(host, port)).close();
      return true;
    } catch (error) {
      if (error instanceof ListenRefusedError) return false;
      throw error;
    }
  }

  take(name: string, server: Server): void {
    this.#arrival(name).resolve(server);
  }

  refuse(name: string, refusal: ListenRefusal): void {
    this.#arrivals.get(name)?.reject(new ListenRefusedError(refusal));
  }

  #arrival(name: string): PromiseWithResolvers<Server> {
    const known = this.#arrivals.get(name);
    if (known !== undefined) return known;
    const arrival = Promise.withResolvers<Server>();
    this.#arrivals.set(name, arrival);
    return arrival;
  }
}
