// Bytes of a head that came in more than one packet, put together without copying them over and over.
import { LF } from './grammar.ts';

const INITIAL_BYTES = 4096;

export class HeadBuffer {
  bytes: Buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  length = 0;

  /** Whether the head can have come further: a line was ended by what is added. */
  append(source: Uint8Array, from: number, to: number): boolean {
    const needed = this.length + to - from;
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    const added = source.subarray(from, to);
    this.bytes.set(added, this.length);
    this.length = needed;
    return added.includes(LF);
  }
}
