// podman or docker, by their command line: which images this machine has, their files, and how to get more. They are told
// apart by nothing but their names; neither runs anything.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { ContainerEngine } from '../images/container-engine.ts';
import type { ImageProgram } from '../images/image-catalog.ts';
import { parseImage } from '../images/image-reference.ts';

const ENGINES = ['podman', 'docker'] as const;
/** One listing answers for all pods that start together; an image built meanwhile is seen soon. */
const LISTING_MS = 2_000;
const ASK_TIMEOUT_MS = 10_000;
const FETCH_TIMEOUT_MS = 30 * 60_000;
const MAX_ANSWER = 16 * 1024 * 1024;
/** Of an engine's complaint: its last line says why. */
const COMPLAINT_LENGTH = 300;

interface LocalImage {
  readonly program: string;
  /** `sha256:…` */
  readonly id: string;
  readonly local: boolean;
}

/** The part of an OCI image's config that says how to run it. */
interface ImageConfig {
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly Env?: readonly string[] | null;
  readonly WorkingDir?: string;
}

export class HostEngine implements ContainerEngine {
  readonly #programs: readonly string[];
  readonly #cache: string;
  #listing: { readonly at: number; readonly images: Promise<ReadonlyMap<string, LocalImage>> } | undefined;
  readonly #unpacking = new Map<string, Promise<ImageProgram>>();
  readonly #closing = new AbortController();

  /** Unpacked images are kept in `cache`, by their ids. */
  constructor(cache: string, path: string = process.env['PATH'] ?? '') {
    this.#cache = cache;
    this.#programs = ENGINES.filter((name) =>
      path.split(delimiter).some((directory) => existsSync(join(directory, name))),
    );
  }

  get name(): string | undefined {
    return this.#programs[0];
  }

  async find(image: string): Promise<ImageProgram | undefined> {
    if (this.#programs.length === 0) return undefined;
    const images = await this.#list();
    const found = namesOf(image)
      .map((name) => images.get(name))
      .find((one) => one !== undefined);
    if (found === undefined) return undefined;
    const { id, local } = found;
    return { ...(await this.#unpacked(found)), root: { id, directory: this.#directoryOf(id), local } };
  }

  async pull(image: string): Promise<void> {
    const [program] = this.#programs;
    if (program === undefined) throw new Error('no container engine is installed');
    await this.#run(program, ['pull', '--quiet', image], FETCH_TIMEOUT_MS);
    this.#listing = undefined;
  }

  /** Ends what is under way: a pull may take half an hour. */
  close(): void {
    this.#closing.abort();
  }

  /** What it printed; rejects with what it complained about. */
  #run(program: string, args: readonly string[], timeout: number): Promise<string> {
    return ask(program, args, timeout, this.#closing.signal);
  }

  #list(): Promise<ReadonlyMap<string, LocalImage>> {
    const now = performance.now();
    if (this.#listing === undefined || now - this.#listing.at > LISTING_MS) {
      this.#listing = { at: now, images: this.#ask() };
    }
    return this.#listing.images;
  }

  /** An engine that does not answer (its daemon is not there) has no images. */
  async #ask(): Promise<ReadonlyMap<string, LocalImage>> {
    const format = '{{.ID}} {{.Repository}} {{.Tag}} {{.Digest}}';
    const images = new Map<string, LocalImage>();
    for (const program of this.#programs) {
      const lines = await this.#run(program, ['images', '--no-trunc', '--format', format], ASK_TIMEOUT_MS).catch(
        () => '',
      );
      for (const line of lines.split('\n')) {
        const [id = '', repository = '', tag = '', digest = ''] = line.trim().split(' ');
        const named = parseImage(repository)?.repository;
        if (named === undefined || id === '') continue;
        // podman keeps what it built under localhost, docker gives it no digest before it is pushed.
        const local = named.startsWith('localhost/') || digest === '<none>';
        const image = { program, id: id.startsWith('sha256:') ? id : `sha256:${id}`, local };
        for (const name of [`${named}:${tag}`, `${named}@${digest}`]) if (!images.has(name)) images.set(name, image);
      }
    }
    return images;
  }

  #directoryOf(id: string): string {
    return join(this.#cache, id.replace(':', '-'));
  }

  #unpacked(image: LocalImage): Promise<ImageProgram> {
    const known = this.#unpacking.get(image.id);
    if (known !== undefined) return known;
    const work = this.#unpack(image);
    this.#unpacking.set(image.id, work);
    // What failed (a full disk, say) is tried again.
    work.catch(() => this.#unpacking.delete(image.id));
    return work;
  }

  async #unpack({ program, id }: LocalImage): Promise<ImageProgram> {
    const directory = this.#directoryOf(id);
    const [answer] = JSON.parse(await this.#run(program, ['image', 'inspect', id], ASK_TIMEOUT_MS)) as [
      { Config?: ImageConfig },
    ];
    if (!existsSync(directory)) await this.#extract(program, id, directory);
    const { Entrypoint, Cmd, Env, WorkingDir } = answer.Config ?? {};
    return {
      entrypoint: Entrypoint ?? [],
      defaultArgs: Cmd ?? [],
      env: Object.fromEntries((Env ?? []).map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string])),
      workingDir: WorkingDir || '/',
    };
  }

  /** By way of a container that is never started: the one form in which every engine gives an image's files whole. */
  async #extract(program: string, id: string, directory: string): Promise<void> {
    const draft = `${directory}.${process.pid}.part`;
    const archive = `${draft}.tar`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true, mode: 0o755 });
    // An image without a command of its own needs one to be given; it is not run.
    const container =
      (await this.#run(program, ['create', id, '/none'], FETCH_TIMEOUT_MS)).trim().split('\n').at(-1) ?? '';
    try {
      // By way of a file: podman opens its standard output once more by name, which a socket (as Node gives it) refuses.
      await this.#run(program, ['export', '--output', archive, container], FETCH_TIMEOUT_MS);
      // Devices are the pod's; an ordinary user could not make them either.
      const devices = ['--exclude=dev/*', '--exclude=./dev/*'];
      await this.#run('tar', ['-x', '-p', '-f', archive, '-C', draft, ...devices], FETCH_TIMEOUT_MS);
      renameSync(draft, directory);
    } finally {
      rmSync(archive, { force: true });
      rmSync(draft, { recursive: true, force: true });
      await ask(program, ['rm', container], ASK_TIMEOUT_MS);
    }
  }
}

/** What the engine may call it: the full name; what podman built itself is under localhost. */
function namesOf(image: string): string[] {
  const reference = parseImage(image);
  if (reference === undefined) return [];
  const { repository, tag = 'latest', digest } = reference;
  const suffix = digest === undefined ? `:${tag}` : `@${digest}`;
  const short = /^docker\.io\/(?:library\/)?(.*)$/.exec(repository)?.[1];
  const built = short !== undefined && !image.startsWith('docker.io/') ? [`localhost/${short}${suffix}`] : [];
  return [`${repository}${suffix}`, ...built];
}

function ask(program: string, args: readonly string[], timeout: number, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout, maxBuffer: MAX_ANSWER, cwd: '/', signal };
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const complaint = stderr.trim().split('\n').at(-1) || error.message;
      const why = error.killed ? `it did not answer within ${timeout / 1000} s` : complaint.slice(0, COMPLAINT_LENGTH);
      reject(new Error(`${program} ${args[0]}: ${why}`, { cause: error }));
    });
  });
}
