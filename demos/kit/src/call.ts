// Calling the next service, with every way it can fail told apart.
import { Agent, type IncomingHttpHeaders, request } from 'node:http';

/** Why a call got no HTTP answer: `code` is the system's (ECONNREFUSED …), TIMEOUT, CLOSED or TOO_LARGE. */
export class CallError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'CallError';
    this.code = code;
  }
}

export interface CallReply {
  readonly status: number;
  readonly statusText: string;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** The bytes as UTF-8. */
  readonly body: string;
}

export interface CallOptions {
  /** GET when left out. */
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string;
  /** Of silence, not of the whole exchange; none when left out. */
  readonly timeoutMs?: number | undefined;
}

const MAX_BODY_BYTES = 1024 * 1024;

const agent = new Agent({ keepAlive: true });

/** `GET http://HOST/`. Rejects with a CallError when no whole answer comes; `timeoutMs` is of silence, as in httpx. */
export function call(
  host: string,
  headers: Record<string, string | string[]>,
  timeoutMs: number | undefined,
): Promise<CallReply> {
  return send(`http://${host}/`, { headers, timeoutMs });
}

/** One exchange with an `http:` URL. Rejects with a CallError when no whole answer comes, a TypeError for a bad URL. */
export async function send(url: string, options: CallOptions = {}): Promise<CallReply> {
  return sendOnce(url, options, true);
}

function sendOnce(url: string, options: CallOptions, mayRetry: boolean): Promise<CallReply> {
  const { method = 'GET', headers = {}, body, timeoutMs } = options;
  const { host } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      agent,
      method,
      headers: body === undefined ? headers : { ...headers, 'content-length': String(Buffer.byteLength(body)) },
      ...(timeoutMs ? { timeout: timeoutMs } : {}),
    });
    let answered = false;
    outgoing.on('timeout', () => {
      outgoing.destroy(new CallError('TIMEOUT', `no answer from ${host} for ${timeoutMs} ms`));
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      // A kept-alive connection may have been closed by the other side just now; a GET may go again on a new one.
      if (mayRetry && !answered && method === 'GET' && outgoing.reusedSocket && error.code === 'ECONNRESET') {
        sendOnce(url, options, false).then(resolve, reject);
        return;
      }
      reject(error instanceof CallError ? error : new CallError(callCode(error), error.message));
    });
    outgoing.on('response', (incoming) => {
      answered = true;
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > MAX_BODY_BYTES) {
          outgoing.destroy(new CallError('TOO_LARGE', `the answer of ${host} is larger than ${MAX_BODY_BYTES} bytes`));
        }
      });
      incoming.on('error', (error: NodeJS.ErrnoException) => {
        reject(error instanceof CallError ? error : new CallError(callCode(error), error.message));
      });
      incoming.on('end', () => {
        const bytes = Buffer.concat(chunks);
        resolve({
          status: incoming.statusCode ?? 0,
          statusText: incoming.statusMessage ?? '',
          headers: incoming.headers,
          bytes,
          get body() {
            return bytes.toString('utf8');
          },
        });
      });
    });
    outgoing.end(body);
  });
}

function callCode(error: NodeJS.ErrnoException): string {
  // Node reports a connection that ended without an answer ("socket hang up") as ECONNRESET as well.
  return error.code === 'ECONNRESET' ? 'CLOSED' : (error.code ?? 'UNKNOWN');
}
