// A terminal for a program that wants one: this process holds one side, the program has the other for its own.
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { PassThrough, type Readable, Writable } from 'node:stream';
import { ReadStream } from 'node:tty';
import { openTerminal, setTerminalSize } from '../netlink/libc.ts';
import type { TerminalSize } from './pod-network.ts';

/** How long a full terminal is left alone before it is tried again: nothing tells when there is room. */
const FULL_RETRY_MS = 10;
/** termios(3), VEOF. */
const END_OF_INPUT = Buffer.from([4]);
const LARGEST_SIZE = 65_535;

export class Terminal {
  readonly input: Writable;
  /** Ends when the last program has let go of the terminal, once `release` was called. */
  readonly output: Readable;
  /** The program's side, for its standard streams. */
  readonly programSide: number;
  readonly path: string;
  readonly #own: ReadStream;
  readonly #fd: number;
  #held = true;

  constructor(size: TerminalSize) {
    const { fd, path } = openTerminal();
    this.#fd = fd;
    this.path = path;
    try {
      this.resize(size);
      this.programSide = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#own = new ReadStream(fd);
    const output = new PassThrough();
    this.#own.pipe(output);
    // Linux says the end of a terminal as EIO.
    this.#own.on('error', () => undefined);
    this.#own.on('close', () => output.end());
    output.on('close', () => this.#own.destroy());
    this.output = output;
    this.input = new Writable({
      write: (chunk: Buffer, _encoding, done) => this.#write(chunk, done),
      final: (done) => this.#write(END_OF_INPUT, done),
    });
  }

  resize({ columns, rows }: TerminalSize): void {
    if (this.#own?.destroyed === true) return;
    setTerminalSize(this.#fd, { columns: Math.min(columns, LARGEST_SIZE), rows: Math.min(rows, LARGEST_SIZE) });
  }

  /** Until then the terminal stays, though no program may have it open for a while. */
  release(): void {
    if (this.#held) closeSync(this.programSide);
    this.#held = false;
  }

  destroy(): void {
    this.release();
    this.#own.destroy();
  }

  #write(chunk: Buffer, done: () => void): void {
    const written = this.#tryToWrite(chunk);
    if (written === chunk.length) done();
    else setTimeout(() => this.#write(chunk.subarray(written), done), FULL_RETRY_MS).unref();
  }

  /**
   * How much the terminal took; all of it when nobody reads there any more. Not through the stream that reads: Node
   * lets that one block the whole process until a terminal takes the bytes.
   */
  #tryToWrite(chunk: Buffer): number {
    if (this.#own.destroyed) return chunk.length;
    try {
      return writeSync(this.#fd, chunk);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') return 0;
      if (code === 'EIO') return chunk.length;
      throw error;
    }
  }
}
