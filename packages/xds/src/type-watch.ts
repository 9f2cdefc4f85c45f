// What one proxy has asked for, been sent and answered, for one resource type (xDS protocol: "ACK/NACK and versioning").

/** One encoded resource. `body` is shared by every proxy that gets it. */
export interface Resource {
  readonly name: string;
  readonly body: Uint8Array;
  /** Of a cluster: the name of the endpoint assignment that it cannot be used without. */
  readonly endpoints?: string;
}

export type ResourceMap = ReadonlyMap<string, Resource>;

export type TypeStatus =
  /** Nothing asked for, or nothing sent yet. */
  | { readonly kind: 'NOT SENT' }
  | { readonly kind: 'SYNCED'; readonly version: string }
  | { readonly kind: 'STALE'; readonly sentVersion: string; readonly ackedVersion: string }
  | { readonly kind: 'ERROR'; readonly version: string; readonly message: string };

export type RequestOutcome =
  | { readonly kind: 'first' }
  | { readonly kind: 'stale' }
  | { readonly kind: 'ack'; readonly version: string }
  | { readonly kind: 'nack'; readonly version: string; readonly message: string };

export interface WatchRequest {
  readonly names: readonly string[];
  readonly nonce: string;
  readonly error: string | undefined;
}

export class TypeWatch {
  readonly wildcard: boolean;
  names: ReadonlySet<string>;
  /** The first request has not been answered yet; it is answered even when there is nothing to give. */
  unanswered = true;
  /** What the proxy was last sent, by name. */
  readonly sent = new Map<string, Uint8Array>();
  /** What it last accepted, and so goes on with when it refuses something newer. Kept for wildcard types only. */
  accepted: ReadonlyMap<string, Uint8Array> = new Map();
  /** Names in a response that was refused: they go along with the next one, so that its ACK means all is well. */
  readonly #refused = new Set<string>();
  #inFlight: readonly string[] = [];
  #sentNonce = '';
  #sentVersion = '';
  #answeredNonce = '';
  #ackedVersion = '';
  #error: { version: string; message: string } | undefined;

  constructor(wildcard: boolean, names: readonly string[]) {
    this.wildcard = wildcard;
    this.names = new Set(names);
  }

  /** A response has been sent and neither accepted nor refused. */
  get outstanding(): boolean {
    return this.#sentNonce !== this.#answeredNonce;
  }

  get refused(): boolean {
    return this.#error !== undefined;
  }

  /** Takes in a request that is not this watch's first. */
  request(request: WatchRequest): RequestOutcome {
    // A request that answers no response of this stream is a first one again, unless it answers an older response.
    if (request.nonce === '') return { kind: 'first' };
    if (request.nonce !== this.#sentNonce) return { kind: 'stale' };
    this.#answeredNonce = request.nonce;
    this.#setNames(request.names);
    if (request.error !== undefined) {
      this.#error = { version: this.#sentVersion, message: request.error };
      for (const name of this.#inFlight) this.#refused.add(name);
      this.#inFlight = [];
      return { kind: 'nack', version: this.#sentVersion, message: request.error };
    }
    this.#error = undefined;
    this.#inFlight = [];
    this.#refused.clear();
    this.#ackedVersion = this.#sentVersion;
    if (this.wildcard) this.accepted = new Map(this.sent);
    return { kind: 'ack', version: this.#sentVersion };
  }

  /**
   * What has to be sent to bring the proxy to `target`, or undefined when nothing has: all of a wildcard type (SotW:
   * absence is removal), only what is new or changed of a named one.
   */
  difference(target: ResourceMap): Resource[] | undefined {
    if (this.wildcard) {
      const same = target.size === this.sent.size && [...target.values()].every((resource) => this.has(resource));
      return same && !this.unanswered ? undefined : [...target.values()];
    }
    const changed: Resource[] = [];
    const again: Resource[] = [];
    for (const name of this.names) {
      const resource = target.get(name);
      // Forgotten, so that it is sent again should it come back; SotW has no word for "gone" here.
      if (resource === undefined) this.sent.delete(name);
      else if (!this.has(resource)) changed.push(resource);
      else if (this.#refused.has(name)) again.push(resource);
    }
    return changed.length === 0 && !this.unanswered ? undefined : [...changed, ...again];
  }

  /** The proxy needs these again, though nothing about them has changed. */
  forget(names: Iterable<string>): void {
    for (const name of names) this.sent.delete(name);
  }

  /** Whether the proxy was last sent this very resource. */
  has(resource: Resource): boolean {
    const sent = this.sent.get(resource.name);
    return sent !== undefined && (sent === resource.body || Buffer.compare(sent, resource.body) === 0);
  }

  recordSent(resources: readonly Resource[], version: string, nonce: string): void {
    if (this.wildcard) this.sent.clear();
    for (const resource of resources) this.sent.set(resource.name, resource.body);
    this.#inFlight = resources.map((resource) => resource.name);
    this.unanswered = false;
    this.#sentNonce = nonce;
    this.#sentVersion = version;
  }

  status(): TypeStatus {
    if (this.#sentNonce === '') return { kind: 'NOT SENT' };
    if (this.#error !== undefined && !this.outstanding) return { kind: 'ERROR', ...this.#error };
    if (this.outstanding) return { kind: 'STALE', sentVersion: this.#sentVersion, ackedVersion: this.#ackedVersion };
    return { kind: 'SYNCED', version: this.#ackedVersion };
  }

  #setNames(names: readonly string[]): void {
    if (this.wildcard) return;
    this.names = new Set(names);
    for (const name of this.sent.keys()) if (!this.names.has(name)) this.sent.delete(name);
  }
}
