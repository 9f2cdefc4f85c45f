// A request that asks to leave HTTP on its connection, and the plain answers it may get instead.
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { StatusError } from '../../status-error.ts';

export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What has come already of the protocol behind the request. */
  readonly head: Buffer;
}

/** The head of an answer; `headers` are names and values in turn. */
export function upgradeHead(code: number, text: string, headers: readonly string[]): string {
  const lines = [`HTTP/1.1 ${code} ${text === '' ? (STATUS_CODES[code] ?? '') : text}`];
  for (let at = 0; at + 1 < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A failure as a Status on a connection that Node answers nothing on any more; it ends with this. */
export function refuseUpgrade(socket: Duplex, { status, code, reason }: StatusError): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(status);
  const headers = ['content-type', 'application/json', 'content-length', `${Buffer.byteLength(body)}`];
  socket.write(`${upgradeHead(code, reason, [...headers, 'connection', 'close'])}${body}`);
  // Not end() alone: that would wait for the other side to end too, which it need never do.
  socket.end(() => socket.destroy());
}
