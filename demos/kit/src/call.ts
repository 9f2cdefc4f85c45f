// Calling the next service, with every way it can fail told apart.
import { Agent, request } from 'node:http';

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
  readonly body: string;
}

const MAX_BODY_BYTES = 1024 * 1024;

const agent = new Agent({ keepAlive: true });

/** `GET http://HOST/`. Rejects with a CallError when no whole answer comes; `timeoutMs` is of silence, as in httpx. */
export function call(
  host: string,
  headers: Record<string, string | string[]>,
  timeoutMs: number | undefined,
): Promise<CallReply> {
  return callOnce(host, headers, timeoutMs, true);
}

function callOnce(
  host: string,
  headers: Record<string, string | string[]>,
  timeoutMs: number | undefined,
  mayRetry: boolean,
): Promise<CallReply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`http://${host}/`, { agent, headers, ...(timeoutMs ? { timeout: timeoutMs } : {}) });
    let answered = false;
    outgoing.on('timeout', () => {
      outgoing.destroy(new CallError('TIMEOUT', `no answer from ${host} for ${timeoutMs} ms`));
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      // A kept-alive connection may have been closed by the other side just now; a GET may go again on a new one.
      if (mayRetry && !answered && outgoing.reusedSocket && error.code === 'ECONNRESET') {
        callOnce(host, headers, timeoutMs, false).then(resolve, reject);
        return;
      }
      reject(error instanceof CallError ? error : new CallError(callCode(error), error.message));
    });
    outgoing.on('response', (incoming) => {
      answered = true;
      const chunks: Buffer[] = [];
      let bytes = 0;
      incoming.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > MAX_BODY_BYTES) {
          outgoing.destroy(new CallError('TOO_LARGE', `the answer of ${host} is larger than ${MAX_BODY_BYTES} bytes`));
        }
      });
      incoming.on('error', (error: NodeJS.ErrnoException) => {
        reject(error instanceof CallError ? error : new CallError(callCode(error), error.message));
      });
      incoming.on('end', () => {
        resolve({
          status: incoming.statusCode ?? 0,
          statusText: incoming.statusMessage ?? '',
          body: Buffer.concat(chunks).toString('utf8'),
        });
      });
    });
    outgoing.end();
  });
}

function callCode(error: NodeJS.ErrnoException): string {
  // Node reports a connection that ended without an answer ("socket hang up") as ECONNRESET as well.
  return error.code === 'ECONNRESET' ? 'CLOSED' : (error.code ?? 'UNKNOWN');
}
