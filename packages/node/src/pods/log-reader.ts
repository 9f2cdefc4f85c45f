// Reads container logs back, as `kubectl logs` wants them.
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import type { PodLogOptions } from '@varka/kube/server/pod-backend.ts';
import { type ContainerLog, rotatedPath } from './container-log.ts';

const CHUNK = 64 * 1024;
const NEWLINE = 0x0a;
const SPACE = 0x20;

interface Line {
  /** Milliseconds. */
  readonly time: number;
  readonly timestamp: string;
  readonly text: Buffer;
  /** False for a part of a longer line: no newline belongs after it. */
  readonly full: boolean;
}

interface ReadOptions extends Omit<PodLogOptions, 'container' | 'previous'> {
  readonly now: number;
  /** The log while its container runs: with `follow`, more is waited for until it closes. */
  readonly live: ContainerLog | undefined;
}

export async function* readLog(path: string, options: ReadOptions, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const since = options.sinceSeconds === undefined ? 0 : options.now - options.sinceSeconds * 1000;
  let budget = options.limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const line of tail(linesOf(path, options, signal), options)) {
    if (line.time < since) continue;
    const rendered = render(line, options.timestamps === true);
    if (rendered.length >= budget) {
      yield rendered.subarray(0, budget);
      return;
    }
    budget -= rendered.length;
    yield rendered;
  }
}

function render(line: Line, timestamps: boolean): Buffer {
  const parts: Buffer[] = [line.text];
  if (timestamps) parts.unshift(Buffer.from(`${line.timestamp} `));
  if (line.full) parts.push(Buffer.from('\n'));
  return Buffer.concat(parts);
}

const CAUGHT_UP = Symbol('caught up');

/** Keeps back all but the last lines of what is there already; what comes after passes through. */
async function* tail(
  lines: AsyncIterable<Line | typeof CAUGHT_UP>,
  { tailLines }: Pick<PodLogOptions, 'tailLines'>,
): AsyncGenerator<Line> {
  let held: Line[] | undefined = tailLines === undefined ? undefined : [];
  for await (const line of lines) {
    if (line === CAUGHT_UP) {
      yield* held ?? [];
      held = undefined;
    } else if (held === undefined) {
      yield line;
    } else {
      held.push(line);
      if (held.length > (tailLines ?? 0)) held.shift();
    }
  }
}

async function* linesOf(
  path: string,
  { follow, live }: ReadOptions,
  signal: AbortSignal,
): AsyncGenerator<Line | typeof CAUGHT_UP> {
  let changed = Promise.withResolvers<void>();
  const wake = (): void => changed.resolve();
  const unwatch = live?.onChange(wake);
  signal.addEventListener('abort', wake);
  let file: FileHandle | undefined;
  try {
    const rotated = await openOrNone(rotatedPath(path));
    if (rotated !== undefined) {
      try {
        yield* readToEnd(rotated, { at: 0, rest: Buffer.alloc(0) });
      } finally {
        await rotated.close();
      }
    }
    file = await openOrNone(path);
    let place: Place = { at: 0, rest: Buffer.alloc(0) };
    for (let first = true; ; first = false) {
      changed = Promise.withResolvers();
      const finished = live === undefined || live.closed;
      if (file !== undefined) place = yield* readToEnd(file, place);
      if (first) yield CAUGHT_UP;
      if (finished || follow !== true || signal.aborted) return;
      await changed.promise;
      if (signal.aborted) return;
      if (await wasRotated(path, file)) {
        if (file !== undefined) {
          yield* readToEnd(file, place);
          await file.close();
        }
        file = await openOrNone(path);
        place = { at: 0, rest: Buffer.alloc(0) };
      }
    }
  } finally {
    unwatch?.();
    signal.removeEventListener('abort', wake);
    await file?.close();
  }
}

interface Place {
  readonly at: number;
  readonly rest: Buffer;
}

async function* readToEnd(file: FileHandle, from: Place): AsyncGenerator<Line, Place> {
  let { at, rest } = from;
  for (;;) {
    const buffer = Buffer.alloc(CHUNK);
    const { bytesRead } = await file.read(buffer, 0, CHUNK, at);
    if (bytesRead === 0) return { at, rest };
    at += bytesRead;
    const data = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    let start = 0;
    for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
      const line = parse(data.subarray(start, end));
      if (line !== undefined) yield line;
      start = end + 1;
    }
    rest = data.subarray(start);
  }
}

/** `TIME STREAM TAG TEXT`; a line that is cut (the disk was full) says nothing. */
function parse(line: Buffer): Line | undefined {
  const first = line.indexOf(SPACE);
  const second = line.indexOf(SPACE, first + 1);
  if (first < 0 || second < 0 || line[second + 2] !== SPACE) return undefined;
  const timestamp = line.toString('latin1', 0, first);
  const time = Date.parse(timestamp);
  if (Number.isNaN(time)) return undefined;
  return { time, timestamp, text: line.subarray(second + 3), full: line[second + 1] === 0x46 };
}

async function openOrNone(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function wasRotated(path: string, file: FileHandle | undefined): Promise<boolean> {
  if (file === undefined) return true;
  const current = await openOrNone(path);
  if (current === undefined) return false;
  try {
    return (await current.stat()).ino !== (await file.stat()).ino;
  } finally {
    await current.close();
  }
}
