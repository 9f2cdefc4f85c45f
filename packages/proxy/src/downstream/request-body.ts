// The body of a request between client and upstream: what is not sent yet, and what may have to be sent again.
import type { HttpConnection } from '../upstream/http-connection.ts';

/** Up to here head and body go out as one string in one write; beyond, the body is not worth decoding. */
export const ONE_WRITE_BYTES = 8 * 1024;

export class RequestBody {
  readonly #pieces: Buffer[] = [];
  bytes = 0;
  /** What is kept starts at the body's first byte, so that the request can be sent (again). */
  whole = true;

  keep(bytes: Buffer, from: number, to: number, pieces: readonly number[] | undefined): void {
    if (to === from) return;
    for (const piece of bodyPieces(bytes, from, to, pieces)) {
      this.#pieces.push(piece);
      this.bytes += piece.length;
    }
  }

  /** What has gone out is not needed again. `empty`: the request has no body, so nothing is lost. */
  drop(empty: boolean): void {
    this.#pieces.length = 0;
    this.bytes = 0;
    this.whole = empty;
  }

  /** All that is kept, for another who is to get it too. */
  copy(): readonly Buffer[] {
    return [...this.#pieces];
  }

  /** Sends the head and all that is kept; false when the connection should be given time. */
  send(connection: HttpConnection, head: string): boolean {
    const pieces = this.#pieces;
    if (pieces.length === 0) return connection.write(head);
    if (pieces.length === 1 && this.bytes <= ONE_WRITE_BYTES)
      return connection.write(head + pieces[0]!.toString('latin1'));
    const socket = connection.socket!;
    socket.cork();
    connection.write(head);
    for (const piece of pieces) connection.write(piece);
    socket.uncork();
    return !socket.writableNeedDrain;
  }
}

/** The parts of a read that are to pass on: all from `from` to `to`, or the pairs that `pieces` lists. */
export function bodyPieces(bytes: Buffer, from: number, to: number, pieces: readonly number[] | undefined): Buffer[] {
  if (pieces === undefined) return to > from ? [bytes.subarray(from, to)] : [];
  const result: Buffer[] = [];
  for (let at = 0; at + 1 < pieces.length; at += 2) {
    if (pieces[at + 1]! > pieces[at]!) result.push(bytes.subarray(pieces[at], pieces[at + 1]));
  }
  return result;
}
