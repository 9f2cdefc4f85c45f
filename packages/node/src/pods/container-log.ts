// What a container prints, kept in files of bounded size, in the CRI's format.
import { closeSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** The kubelet's containerLogMaxSize. */
const MAX_BYTES = 10 * 1024 * 1024;
/** A longer line is written in parts tagged P, as containerd does. */
const MAX_LINE = 16 * 1024;
const NEWLINE = 0x0a;

export type LogStream = 'stdout' | 'stderr';

/** The file before the last rotation. */
export function rotatedPath(path: string): string {
  return `${path}.1`;
}

/** One run of one container. `2026-01-02T03:04:05.678000000Z stdout F text`. */
export class ContainerLog {
  readonly path: string;
  readonly #now: () => number;
  readonly #partial: Record<LogStream, Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  readonly #watchers = new Set<() => void>();
  #fd: number;
  #size: number;
  #closed = false;
  #failing = false;
  readonly #onFailure: (error: Error) => void;

  /** `onFailure` hears once that lines are being lost (a full disk), and again after it had recovered. */
  constructor(path: string, now: () => number, onFailure: (error: Error) => void) {
    this.#onFailure = onFailure;
    mkdirSync(dirname(path), { recursive: true });
    this.path = path;
    this.#now = now;
    this.#fd = openSync(path, 'a', 0o640);
    this.#size = statSync(path).size;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Synchronous, so that what a program printed before it ended is on disk before its end is told. */
  write(stream: LogStream, chunk: Buffer): void {
    if (this.#closed) return;
    const held = this.#partial[stream];
    const data = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const prefix = `${nanoTime(this.#now())} ${stream} `;
    const pieces: (string | Buffer)[] = [];
    let at = 0;
    for (;;) {
      const newline = data.indexOf(NEWLINE, at);
      const end = newline < 0 ? data.length : newline;
      if (end - at > MAX_LINE) {
        pieces.push(`${prefix}P `, data.subarray(at, at + MAX_LINE), '\n');
        at += MAX_LINE;
      } else if (newline < 0) {
        break;
      } else {
        pieces.push(`${prefix}F `, data.subarray(at, newline), '\n');
        at = newline + 1;
      }
    }
    this.#partial[stream] = Buffer.from(data.subarray(at));
    if (pieces.length > 0) {
      this.#append(Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece))));
    }
  }

  /** Called after every write, and at the end. */
  onChange(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  close(): void {
    if (this.#closed) return;
    for (const stream of ['stdout', 'stderr'] as const) {
      const rest = this.#partial[stream];
      if (rest.length > 0) this.write(stream, Buffer.from('\n'));
    }
    this.#closed = true;
    closeSync(this.#fd);
    this.#tell();
  }

  #append(record: Buffer): void {
    try {
      if (this.#size + record.length > MAX_BYTES && this.#size > 0) this.#rotate();
      this.#size += writeSync(this.#fd, record);
      this.#failing = false;
    } catch (error) {
      // The program goes on: it is not to blame for the disk.
      if (!this.#failing) this.#onFailure(error as Error);
      this.#failing = true;
    }
    this.#tell();
  }

  #rotate(): void {
    rmSync(rotatedPath(this.path), { force: true });
    renameSync(this.path, rotatedPath(this.path));
    const fresh = openSync(this.path, 'a', 0o640);
    closeSync(this.#fd);
    this.#fd = fresh;
    this.#size = 0;
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

/** RFC 3339 with nine digits, as the CRI wants; a clock of milliseconds gives the first three. */
function nanoTime(now: number): string {
  return new Date(now).toISOString().replace('Z', '000000Z');
}
