// The body of a request, whole and of a bounded size.
import type { IncomingMessage } from 'node:http';

/** Answered to the client as it stands: `body` as JSON. */
export class HttpError extends Error {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    super(`status ${status}`);
    this.name = 'HttpError';
    this.status = status;
    this.body = body;
  }
}

/** Throws an HttpError 413 when there is more. */
export async function readBody(message: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // What is left is read and thrown away, so that the client gets to read the answer.
    if (bytes <= maxBytes) chunks.push(chunk);
    else if (bytes > 10 * maxBytes) message.destroy();
  }
  if (bytes > maxBytes) throw new HttpError(413, { errorMessage: `The body is larger than ${maxBytes} bytes.` });
  return Buffer.concat(chunks).toString('utf8');
}
