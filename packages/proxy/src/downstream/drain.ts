// Draining: one signal that every connection of a listener joins, so that stopping it is one call.

/** A connection that can be asked to finish what is under way and take nothing new. */
export interface Drainable {
  drain(): void;
}

/**
 * Joined by connections for as long as they live. `begin` asks each of them to finish; who joins later is asked at
 * once. `idle` settles when begun and nobody is left. Holding one promises nothing about time: the owner decides how
 * long to wait (Envoy: --drain-time-s) and then destroys what remains.
 */
export class DrainSignal {
  readonly #members = new Set<Drainable>();
  #draining = false;
  readonly #idle = Promise.withResolvers<void>();

  get draining(): boolean {
    return this.#draining;
  }

  /** Connections now joined. */
  get size(): number {
    return this.#members.size;
  }

  get idle(): Promise<void> {
    return this.#idle.promise;
  }

  join(member: Drainable): void {
    this.#members.add(member);
    if (this.#draining) member.drain();
  }

  leave(member: Drainable): void {
    this.#members.delete(member);
    if (this.#draining && this.#members.size === 0) this.#idle.resolve();
  }

  begin(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (const member of [...this.#members]) member.drain();
    if (this.#members.size === 0) this.#idle.resolve();
  }
}
