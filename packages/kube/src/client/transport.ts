// One HTTP exchange with an API server: connections, credentials, time limits. Knows nothing of objects.
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Clock } from './clock.ts';
import { systemClock } from './clock.ts';
import type { ClusterAccess } from './kubeconfig.ts';

/** The API server could not be reached, or its answer did not arrive whole. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface HttpRequest {
  readonly method: string;
  /** Path and query, below the server's URL. */
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface TransportOptions {
  /** For a whole exchange; for a stream, until its headers are here. */
  readonly requestTimeoutMs: number;
  readonly maxResponseBytes: number;
  readonly userAgent: string;
  readonly clock?: Clock;
}

/** client-go re-reads a token file as often: the kubelet rotates it long before the old one expires. */
const TOKEN_FILE_MAX_AGE_MS = 60_000;
/** Enough to keep a start-up burst quick, few enough to spare a small API server. */
const MAX_CONNECTIONS = 32;
/** TCP keep-alive finds a vanished peer on a quiet watch. */
const TCP_KEEPALIVE_MS = 30_000;

export class Transport {
  readonly #access: ClusterAccess;
  readonly #options: TransportOptions;
  readonly #clock: Clock;
  readonly #server: URL;
  /** Watches hold their connections for minutes, so they must not take those of ordinary requests. */
  readonly #requests: http.Agent;
  readonly #streams: http.Agent;
  #token: { value: string; readAt: number } | undefined;

  constructor(access: ClusterAccess, options: TransportOptions) {
    this.#access = access;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#server = new URL(access.server);
    const tls = (): https.AgentOptions => ({
      // Read once, not for every connection: a start-up opens a watch for each kind.
      secureContext: createSecureContext({
        ...(access.ca === undefined ? {} : { ca: access.ca }),
        ...(access.clientCertificate === undefined ? {} : { cert: access.clientCertificate }),
        ...(access.clientKey === undefined ? {} : { key: access.clientKey }),
      }),
      ...(access.tlsServerName === undefined ? {} : { servername: access.tlsServerName }),
      ...(access.skipTlsVerify === true ? { rejectUnauthorized: false } : {}),
    });
    const shared = this.#server.protocol === 'https:' ? tls() : undefined;
    const agent = (own: http.AgentOptions) =>
      shared === undefined ? new http.Agent(own) : new https.Agent({ ...own, ...shared });
    this.#requests = agent({ keepAlive: true, keepAliveMsecs: TCP_KEEPALIVE_MS, maxSockets: MAX_CONNECTIONS });
    this.#streams = agent({ keepAlive: false });
  }

  /** Sends, and reads the whole answer. */
  async exchange(request: HttpRequest): Promise<HttpAnswer> {
    try {
      return await this.#exchange(request);
    } catch (error) {
      // Node docs, `request.reusedSocket`: the server may close an idle connection just as we write to it. Only what may
      // be done twice is sent again: a second POST could make a second object.
      if (error instanceof ReusedSocketError && request.method !== 'POST') return this.#exchange(request);
      throw error;
    }
  }

  /** Sends, and hands over the answer's body as it comes. The caller reads it to its end or aborts. */
  async stream(request: HttpRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    const { response, timer } = await this.#send(request, this.#streams, signal);
    timer.cancel();
    response.socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
    return response;
  }

  /** Reads a body to its end, no further than the limit. */
  async readBody(response: http.IncomingMessage): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > this.#options.maxResponseBytes) {
        response.destroy();
        throw new TransportError(
          'ERESPONSETOOLARGE',
          `the answer of ${this.#access.server} is larger than ${this.#options.maxResponseBytes} bytes`,
        );
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** Ends idle connections; what is under way goes on. */
  close(): void {
    this.#requests.destroy();
    this.#streams.destroy();
  }

  async #exchange(request: HttpRequest): Promise<HttpAnswer> {
    const { response, timer } = await this.#send(request, this.#requests);
    try {
      return { status: response.statusCode ?? 0, headers: response.headers, body: await this.readBody(response) };
    } catch (error) {
      throw error instanceof TransportError ? error : this.#unreachable(request, error as NodeJS.ErrnoException);
    } finally {
      timer.cancel();
    }
  }

  async #send(request: HttpRequest, agent: http.Agent, signal?: AbortSignal) {
    const token = await this.#bearerToken();
    const body = request.body === undefined ? undefined : Buffer.from(request.body, 'utf8');
    const module = this.#server.protocol === 'https:' ? https : http;
    const outgoing = module.request({
      agent,
      method: request.method,
      hostname: this.#server.hostname.replace(/^\[|\]$/g, ''),
      port: this.#server.port || (this.#server.protocol === 'https:' ? 443 : 80),
      path: `${this.#server.pathname.replace(/\/$/, '')}${request.path}`,
      headers: {
        accept: 'application/json',
        'user-agent': this.#options.userAgent,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
        ...request.headers,
      },
      ...(signal === undefined ? {} : { signal }),
    });
    const timer = this.#clock.after(this.#options.requestTimeoutMs, () => {
      outgoing.destroy(
        new TransportError(
          'ETIMEDOUT',
          `${request.method} ${this.#access.server}${request.path}: no answer within ${this.#options.requestTimeoutMs} ms`,
        ),
      );
    });
    return new Promise<{ response: http.IncomingMessage; timer: { cancel(): void } }>((resolve, reject) => {
      outgoing.once('response', (response) => resolve({ response, timer }));
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        timer.cancel();
        const reset = error.code === 'ECONNRESET' || error.code === 'EPIPE';
        if (outgoing.reusedSocket && reset) reject(new ReusedSocketError(error.code ?? 'ECONNRESET', error.message));
        else reject(error instanceof TransportError ? error : this.#unreachable(request, error));
      });
      outgoing.end(body);
    });
  }

  #unreachable(request: HttpRequest, error: NodeJS.ErrnoException): TransportError {
    const what = error.message === '' ? (error.code ?? 'connection failed') : error.message;
    return new TransportError(
      error.code ?? 'ECONNFAILED',
      `${request.method} ${this.#access.server}${request.path}: ${what}`,
      { cause: error },
    );
  }

  async #bearerToken(): Promise<string | undefined> {
    if (this.#access.tokenFile === undefined) return this.#access.token;
    if (this.#token === undefined || this.#clock.now() - this.#token.readAt > TOKEN_FILE_MAX_AGE_MS) {
      const value = (await readFile(this.#access.tokenFile, 'utf8')).trim();
      this.#token = { value, readAt: this.#clock.now() };
    }
    return this.#token.value;
  }
}

class ReusedSocketError extends TransportError {}
