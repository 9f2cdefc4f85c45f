// The programs that varka.yaml lists: built before they are needed, and read again when the file changes.
import { spawn } from 'node:child_process';
import { type FSWatcher, watch } from 'node:fs';
import type { CatalogEntry } from '@varka/node/images/image-catalog.ts';
import { signalProcess } from '@varka/node/sandbox/processes.ts';
import { type BuildStep, CONFIG_FILE, readConfig, type UserImage } from '../config.ts';
import { messageOf, problem, VarkaError } from '../errors.ts';
import type { ProgressEvent } from '../protocol.ts';
import { StepReporter } from '../supervisor/steps.ts';

/** An editor writes a file in several strokes. */
const SETTLE_MS = 100;
/** Of a build's output, for the case that it fails. */
const OUTPUT_KEPT = 64 * 1024;
const LINES_SHOWN = 15;

export class UserImages {
  readonly #directory: string;
  readonly #report: (event: ProgressEvent) => void;
  readonly #steps: StepReporter;
  readonly #stopping = new AbortController();
  /** As they were when all their builds had succeeded. */
  #images: readonly UserImage[] = [];
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();

  constructor(directory: string, report: (event: ProgressEvent) => void) {
    this.#directory = directory;
    this.#report = report;
    this.#steps = new StepReporter(report);
  }

  /** Runs the builds of what is new, one after the other; rejects with a `VarkaError` when one fails. */
  async take(images: readonly UserImage[]): Promise<CatalogEntry[]> {
    const known = new Set(this.#images.map((image) => JSON.stringify(image)));
    for (const image of images) {
      const { entry, build } = image;
      if (build === undefined || known.has(JSON.stringify(image))) continue;
      await this.#steps.run(`build ${entry.image}`, `building ${entry.image}`, async (update) => {
        await this.#build(entry.image, build);
        update(`built ${entry.image}`);
      });
    }
    this.#images = images;
    return images.map(({ entry }) => entry);
  }

  /** Until `close`, or until it is called again. What is wrong with a changed file is reported, and the images stay as they were. */
  watch(onChange: (entries: readonly CatalogEntry[]) => void): void {
    this.#watcher?.close();
    try {
      this.#watcher = watch(this.#directory, { persistent: false }, (_event, name) => {
        if (name !== CONFIG_FILE) return;
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
          this.#reading = this.#reading.then(() => this.#readAgain(onChange));
        }, SETTLE_MS).unref();
      });
      this.#watcher.on('error', (error) => this.#unwatched(error));
    } catch (error) {
      this.#unwatched(error);
    }
  }

  close(): void {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    this.#watcher?.close();
  }

  async #readAgain(onChange: (entries: readonly CatalogEntry[]) => void): Promise<void> {
    try {
      const images = readConfig(this.#directory);
      if (JSON.stringify(images) === JSON.stringify(this.#images)) return;
      onChange(await this.take(images));
      this.#report({ kind: 'note', label: `${CONFIG_FILE} has changed: it lists ${count(images.length)} now` });
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      if (!(error instanceof VarkaError)) throw error;
      this.#report({ kind: 'problem', problem: error.problem });
    }
  }

  #unwatched(error: unknown): void {
    this.#report({ kind: 'note', label: `changes of ${CONFIG_FILE} need a restart of Varka (${messageOf(error)})` });
  }

  #build(image: string, { argv, directory }: BuildStep): Promise<void> {
    const [program = '', ...args] = argv;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stop = this.#stopping.signal;
    let output = '';
    const fail = (how: string): void => {
      const lines = output.trimEnd().split('\n').slice(-LINES_SHOWN);
      const shown =
        output.trim() === '' ? 'it printed nothing' : `its last lines:\n        ${lines.join('\n        ')}`;
      reject(problem('build-failed', { path: CONFIG_FILE, image, how, command: argv.join(' '), directory, shown }));
    };
    // A session of its own, so that all it starts can be ended with it.
    const child = spawn(program, args, { cwd: directory, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const end = (): void => {
      if (child.pid !== undefined) signalProcess(-child.pid, 'SIGKILL');
      // Not waiting for its output to end: something that has left the session may hold that open.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    stop.addEventListener('abort', end);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-OUTPUT_KEPT);
      });
    }
    child.once('error', (error) => fail(error.message));
    child.once('close', (code, signal) => {
      stop.removeEventListener('abort', end);
      if (code === 0) resolve();
      else fail(signal === null ? `exit code ${code}` : `signal ${signal}`);
    });
    return promise;
  }
}

const count = (images: number): string => (images === 1 ? 'one image' : `${images} images`);
