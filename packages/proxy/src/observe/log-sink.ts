// Where log lines go: a file descriptor, written in one piece a turn of the event loop, with a bound on what waits.
import fs from 'node:fs';
import { toWireBytes } from '../http/grammar.ts';

export interface LogSink {
  /** `line` with its line end. */
  write(line: string): void;
  /** Writes what waits before returning. For the end of the process. */
  flushSync(): void;
}

/** A reader that stands still must not take the proxy with it: beyond this, lines are counted instead of kept. */
const MAX_WAITING_CHARACTERS = 1024 * 1024;
/** A full pipe opened non-blocking says EAGAIN; it is asked again after this. */
const RETRY_MS = 20;

class DescriptorSink implements LogSink {
  readonly #fd: number;
  #waiting = '';
  #dropped = 0;
  #scheduled = false;
  #busy: Buffer | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(line: string): void {
    if (this.#waiting.length + line.length > MAX_WAITING_CHARACTERS) {
      this.#dropped++;
      return;
    }
    this.#waiting += line;
    if (this.#scheduled || this.#busy !== undefined) return;
    this.#scheduled = true;
    setImmediate(this.#flush);
  }

  flushSync(): void {
    const parts = [this.#busy ?? Buffer.alloc(0), this.#take()];
    this.#busy = undefined;
    try {
      fs.writeSync(this.#fd, Buffer.concat(parts));
    } catch (error) {
      this.#report(error);
    }
  }

  #take(): Buffer {
    let text = this.#waiting;
    if (this.#dropped > 0) text += `access log: ${this.#dropped} lines were dropped because the reader was too slow\n`;
    this.#waiting = '';
    this.#dropped = 0;
    return Buffer.from(toWireBytes(text), 'latin1');
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    this.#busy ??= this.#take();
    fs.write(this.#fd, this.#busy, this.#onWritten);
  };

  readonly #onWritten = (error: NodeJS.ErrnoException | null, written: number): void => {
    if (this.#busy === undefined) return;
    if (error?.code === 'EAGAIN') {
      setTimeout(this.#flush, RETRY_MS);
      return;
    }
    if (error !== null) {
      this.#report(error);
      this.#busy = undefined;
    } else this.#busy = written < this.#busy.length ? this.#busy.subarray(written) : undefined;
    if (this.#busy !== undefined || this.#waiting !== '') this.#flush();
  };

  /** Traffic goes on without a log; who reads stderr is told. */
  #report(error: unknown): void {
    process.stderr.write(`access log: cannot write to descriptor ${this.#fd}: ${String(error)}\n`);
  }
}

const sinks = new Map<string, LogSink>();

/** The sink of a path; `/dev/stdout` and `/dev/stderr` are this process's own. One per path, whoever asks. */
export function logSink(path: string): LogSink {
  let sink = sinks.get(path);
  if (sink === undefined) {
    const fd = path === '/dev/stdout' ? 1 : path === '/dev/stderr' ? 2 : fs.openSync(path, 'a', 0o644);
    sink = new DescriptorSink(fd);
    if (sinks.size === 0) process.once('exit', flushAll);
    sinks.set(path, sink);
  }
  return sink;
}

function flushAll(): void {
  for (const sink of sinks.values()) sink.flushSync();
}
