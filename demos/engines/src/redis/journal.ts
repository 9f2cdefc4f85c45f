// The append-only file: every command that changed something, read again at the start, rewritten when it grows.
import {
  closeSync,
  existsSync,
  fsync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { CommandReader, encodeCommand } from './resp.ts';

const FSYNC_MS = 1000;
/** Rewritten when it is larger than this and twice its size after the last time. */
const REWRITE_BYTES = 64 * 1024 * 1024;

export class Journal {
  readonly #path: string;
  readonly #state: () => Iterable<readonly string[]>;
  readonly #timer: NodeJS.Timeout;
  #file = -1;
  #bytes = 0;
  #rewrittenBytes = 0;
  #dirty = false;
  #rewriting = false;

  /** `state` gives commands that make everything there is. Nothing is written before `rewrite`. */
  constructor(path: string, state: () => Iterable<readonly string[]>) {
    this.#path = path;
    this.#state = state;
    this.#timer = setInterval(() => this.#sync(), FSYNC_MS);
    this.#timer.unref();
  }

  /** What was written before. A command that the end of the machine cut in two is dropped, with a word on it. */
  *read(): Generator<string[]> {
    if (!existsSync(this.#path)) return;
    const bytes = readFileSync(this.#path);
    const reader = new CommandReader();
    reader.push(bytes);
    for (let words = reader.next(); words !== undefined; words = reader.next()) yield words;
    if (reader.unread === 0) return;
    console.error(`${this.#path}: the last ${reader.unread} bytes are half a command; they are dropped`);
    truncateSync(this.#path, bytes.length - reader.unread);
  }

  /** Throws when the disk refuses: what was not written must not be acknowledged. */
  append(words: readonly string[]): void {
    // A key that expires while all are written down is not among them.
    if (this.#rewriting) return;
    this.#bytes += this.#write(this.#file, words);
    this.#dirty = true;
  }

  /** Whether it has grown so much that rewriting it is worth its time. */
  get grown(): boolean {
    return this.#bytes > REWRITE_BYTES && this.#bytes > 2 * this.#rewrittenBytes;
  }

  /** Replaces the file by the shortest one of the same meaning. */
  rewrite(): void {
    const temporary = `${this.#path}.new`;
    const file = openSync(temporary, 'w');
    let bytes = 0;
    this.#rewriting = true;
    for (const words of this.#state()) bytes += this.#write(file, words);
    this.#rewriting = false;
    fsyncSync(file);
    renameSync(temporary, this.#path);
    if (this.#file >= 0) closeSync(this.#file);
    this.#file = file;
    this.#bytes = bytes;
    this.#rewrittenBytes = bytes;
    this.#dirty = false;
  }

  close(): void {
    clearInterval(this.#timer);
    fsyncSync(this.#file);
    closeSync(this.#file);
  }

  #write(file: number, words: readonly string[]): number {
    const bytes = Buffer.from(encodeCommand(words), 'latin1');
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    return bytes.length;
  }

  #sync(): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    fsync(this.#file, (error) => {
      if (error !== null) console.error(`${this.#path}: ${error.message}`);
    });
  }
}
