// An ADS client (state of the world): keeps one stream to a management server, and resumes it whenever it breaks.
// It speaks gRPC on node:http2 itself, because every sidecar pays for what is loaded here.
import { type ClientHttp2Session, type ClientHttp2Stream, constants, connect as http2Connect } from 'node:http2';
import { isIPv6, type Socket, connect as tcpConnect } from 'node:net';
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import type { NodeSchema } from '../gen/envoy/config/core/v3/base_pb.ts';
import {
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '../gen/envoy/service/discovery/v3/discovery_pb.ts';
import { FrameReader, frame } from './grpc-frames.ts';

/** Resource names, or everything there is of a type (CDS and LDS). */
export type Names = readonly string[] | 'wildcard';

/** What becomes of one response: undefined accepts it (ACK), a text refuses all of it (NACK, with the text as detail). */
export type Verdict = string | undefined;

export interface ResourceHandler<Desc extends DescMessage> {
  readonly typeUrl: string;
  readonly schema: Desc;
  /**
   * One response's resources, decoded. For CDS and LDS that is all there is; for EDS and RDS only what changed may
   * come. A promise puts the ACK off until it settles, as Envoy puts off a CDS ACK until its new clusters are warm.
   */
  onResources(resources: readonly MessageShape<Desc>[], version: string): Verdict | Promise<Verdict>;
}

export interface Subscription {
  /** Replaces the names asked for; several changes in one tick go out as one request. */
  setNames(names: Names): void;
}

export type AdsClientState =
  | { readonly kind: 'connected'; readonly peer: string }
  | { readonly kind: 'disconnected'; readonly reason: string; readonly retryInMs: number };

export interface AdsClientOptions {
  /** `host:port`; the host is looked up anew for each attempt. */
  readonly target: string;
  readonly node: MessageInitShape<typeof NodeSchema>;
  readonly onState?: (state: AdsClientState) => void;
  /** Wait before attempt n: a random share of min(max, base * 2^n), never under a tenth of it (default 200 ms, 10 s). */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number };
  readonly random?: () => number;
  readonly connectTimeoutMs?: number;
  /** A ping is sent after so much time; without an answer in the same time again the stream is given up. */
  readonly keepaliveMs?: number;
  readonly maxMessageBytes?: number;
  /** How to reach the target; plain TCP when not told. */
  readonly dial?: (host: string, port: number) => Socket;
}

const METHOD = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';
const INVALID_ARGUMENT = 3;
/** Bytes of error text sent with a NACK: enough to say what is wrong, bounded whatever the handler says. */
const MAX_ERROR_TEXT = 4096;

/** One type's subscription; `nonce` belongs to the present stream, `acceptedVersion` outlives it. */
interface TypeState {
  readonly handler: ResourceHandler<DescMessage>;
  names: Names;
  acceptedVersion: string;
  nonce: string;
  /** Nonce of a response whose verdict is still awaited: no request may go out before it, it would read as an ACK. */
  judging: string | undefined;
  /** A request for this type has gone out on the present stream. */
  requested: boolean;
  namesChanged: boolean;
}

export class AdsClient {
  readonly #options: AdsClientOptions;
  readonly #host: string;
  readonly #port: number;
  readonly #types = new Map<string, TypeState>();
  #session: ClientHttp2Session | undefined;
  #stream: ClientHttp2Stream | undefined;
  #sentNode = false;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #flushing = false;
  #started = false;
  #stopped = false;

  constructor(options: AdsClientOptions) {
    this.#options = options;
    const { host, port } = parseTarget(options.target);
    this.#host = host;
    this.#port = port;
  }

  /** Subscribes to a type, once per client. An empty list asks for nothing until `setNames`. */
  subscribe<Desc extends DescMessage>(handler: ResourceHandler<Desc>, names: Names): Subscription {
    if (this.#types.has(handler.typeUrl)) throw new Error(`already subscribed to ${handler.typeUrl}`);
    const state: TypeState = {
      handler: handler as unknown as ResourceHandler<DescMessage>,
      names,
      acceptedVersion: '',
      nonce: '',
      judging: undefined,
      requested: false,
      namesChanged: true,
    };
    this.#types.set(handler.typeUrl, state);
    this.#flushSoon();
    return {
      setNames: (next) => {
        if (sameNames(state.names, next)) return;
        state.names = next;
        state.namesChanged = true;
        this.#flushSoon();
      },
    };
  }

  /** Connects, and stays connected until `stop`. */
  start(): void {
    if (this.#started) throw new Error('ADS client is already started');
    this.#started = true;
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#stream?.close(constants.NGHTTP2_CANCEL);
    this.#session?.destroy();
  }

  #connect(): void {
    const { dial = plainDial, connectTimeoutMs = 5000, keepaliveMs = 30_000 } = this.#options;
    const authority = isIPv6(this.#host) ? `[${this.#host}]:${this.#port}` : `${this.#host}:${this.#port}`;
    let ended = false;
    const socket = dial(this.#host, this.#port);
    const session = http2Connect(`http://${authority}`, { createConnection: () => socket });
    this.#session = session;

    const timers: NodeJS.Timeout[] = [];
    const end = (reason: string): void => {
      if (ended) return;
      ended = true;
      for (const timer of timers) clearTimeout(timer);
      session.destroy();
      this.#disconnected(reason);
    };

    timers.push(setTimeout(() => end(`no connection within ${connectTimeoutMs} ms`), connectTimeoutMs));
    session.on('error', (error) => end(error.message));
    session.on('goaway', () => end('server is going away'));
    session.on('close', () => end('connection closed'));
    session.on('connect', () => {
      clearTimeout(timers.pop());
      let answered = true;
      timers.push(
        setInterval(() => {
          // Torn down, and its 'close' is on the way: a ping would throw.
          if (session.destroyed) return;
          if (!answered) return end(`no answer to a keepalive ping within ${keepaliveMs} ms`);
          answered = false;
          session.ping((error) => {
            if (error === null) answered = true;
          });
        }, keepaliveMs),
      );
      this.#openStream(session, authority, end);
    });
  }

  #openStream(session: ClientHttp2Session, authority: string, end: (reason: string) => void): void {
    const stream = session.request({
      ':method': 'POST',
      ':scheme': 'http',
      ':authority': authority,
      ':path': METHOD,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'varka-ads-client',
    });
    this.#stream = stream;
    this.#sentNode = false;
    for (const state of this.#types.values()) {
      state.nonce = '';
      state.judging = undefined;
      state.requested = false;
      state.namesChanged = true;
    }
    const reader = new FrameReader(this.#options.maxMessageBytes ?? 64 * 1024 * 1024);
    stream.on('response', (headers) => {
      if (headers[':status'] !== 200) return end(`server answered HTTP ${headers[':status']}`);
      // Trailers-only: the call failed before a message (PROTOCOL-HTTP2.md "Responses").
      if (headers['grpc-status'] !== undefined && headers['grpc-status'] !== '0') end(grpcError(headers));
    });
    stream.on('trailers', (trailers) => end(grpcError(trailers)));
    stream.on('error', (error) => end(error.message));
    stream.on('close', () => end('stream closed'));
    stream.on('data', (chunk: Buffer) => {
      try {
        for (const message of reader.push(chunk)) this.#receive(stream, fromBinary(DiscoveryResponseSchema, message));
      } catch (error) {
        end(`unreadable response: ${errorText(error)}`);
      }
    });
    this.#flush();
    this.#options.onState?.({ kind: 'connected', peer: authority });
  }

  #disconnected(reason: string): void {
    this.#stream = undefined;
    this.#session = undefined;
    if (this.#stopped) return;
    const { backoff = { baseMs: 200, maxMs: 10_000 }, random = Math.random } = this.#options;
    const ceiling = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(this.#failures, 20));
    // Jitter keeps a fleet that lost its server from coming back as one; the floor keeps it from spinning.
    const retryInMs = Math.ceil(ceiling * (0.1 + 0.9 * random()));
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#connect(), retryInMs);
    this.#options.onState?.({ kind: 'disconnected', reason, retryInMs });
  }

  #receive(stream: ClientHttp2Stream, response: DiscoveryResponse): void {
    this.#failures = 0;
    const state = this.#types.get(response.typeUrl);
    if (state === undefined) return;
    state.nonce = response.nonce;
    const verdict = this.#judge(state, response);
    if (verdict instanceof Promise) {
      state.judging = response.nonce;
      verdict.then(
        (late) => this.#answer(stream, state, response, late),
        (error: unknown) => this.#answer(stream, state, response, errorText(error)),
      );
    } else this.#answer(stream, state, response, verdict);
  }

  #judge(state: TypeState, response: DiscoveryResponse): Verdict | Promise<Verdict> {
    try {
      const resources = response.resources.map((any) => {
        if (any.typeUrl !== response.typeUrl)
          throw new Error(`a ${any.typeUrl} came in a ${response.typeUrl} response`);
        return fromBinary(state.handler.schema, any.value);
      });
      return state.handler.onResources(resources, response.versionInfo);
    } catch (error) {
      return errorText(error);
    }
  }

  #answer(stream: ClientHttp2Stream, state: TypeState, response: DiscoveryResponse, verdict: Verdict): void {
    if (verdict === undefined) state.acceptedVersion = response.versionInfo;
    // The stream has gone, or a newer response has come meanwhile and only that one is answered.
    if (stream !== this.#stream || state.nonce !== response.nonce) return;
    state.judging = undefined;
    // What a response makes us ask for goes out before its ACK: the server then knows of new clusters' endpoint
    // requests when it decides whether the routes that use those clusters may follow.
    this.#flush(state);
    this.#send(stream, state, verdict);
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(except?: TypeState): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    for (const state of this.#types.values()) {
      if (state === except || !state.namesChanged || state.judging !== undefined) continue;
      // An empty first request would mean "everything"; empty names later mean "nothing any more".
      if (state.names.length === 0 && !state.requested) continue;
      this.#send(stream, state, undefined);
    }
  }

  #send(stream: ClientHttp2Stream, state: TypeState, error: Verdict): void {
    if (stream.destroyed || stream.writableEnded) return;
    state.namesChanged = false;
    state.requested = true;
    const request = create(DiscoveryRequestSchema, {
      typeUrl: state.handler.typeUrl,
      versionInfo: state.acceptedVersion,
      responseNonce: state.nonce,
      resourceNames: state.names === 'wildcard' ? [] : [...state.names],
      // Only a stream's first request has to carry the node.
      ...(this.#sentNode ? {} : { node: this.#options.node }),
      ...(error === undefined
        ? {}
        : { errorDetail: { code: INVALID_ARGUMENT, message: error.slice(0, MAX_ERROR_TEXT) } }),
    });
    this.#sentNode = true;
    stream.write(frame(toBinary(DiscoveryRequestSchema, request)));
  }
}

function plainDial(host: string, port: number): Socket {
  return tcpConnect({ host, port, noDelay: true });
}

function parseTarget(target: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(target);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535)
    throw new Error(`ADS target "${target}" is not host:port, such as istiod.istio-system.svc.cluster.local:15010`);
  return { host: (match[1] ?? match[2])!, port };
}

function grpcError(headers: Record<string, string | string[] | number | undefined>): string {
  const message = headers['grpc-message'];
  const status = String(headers['grpc-status']);
  return `server ended the stream: grpc-status ${status}${message === undefined ? '' : ` (${percentDecode(String(message))})`}`;
}

function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function sameNames(a: Names, b: Names): boolean {
  if (a === 'wildcard' || b === 'wildcard') return a === b;
  if (a.length !== b.length) return false;
  const set = new Set(a);
  return b.every((name) => set.has(name));
}
