// A pod's volumes on this machine: made before its containers, kept current while it runs, told to those that mount them.
import { chmodSync, existsSync, mkdirSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Clock, sleep, type Timer } from '@varka/kube/client/clock.ts';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import type { Logger } from '@varka/kube/log.ts';
import type { Volume } from 'kubernetes-types/core/v1.d.ts';
import type { ConfigSource } from '../config/config-source.ts';
import type { MemoryDirectory } from '../sandbox/pod-network.ts';
import { writeAtomically } from './atomic-directory.ts';
import { VolumeError } from './volume-files.ts';
import { type FilesSource, sourceOf, type VolumeSource } from './volume-sources.ts';

/** The kubelet's pace of trying again. */
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 122_000;
/** setTimeout's. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface VolumeContext {
  readonly config: ConfigSource;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where the pod's own volumes are kept; they go with it. */
  readonly directory: string;
  /** Where claims are kept; they outlive it. */
  readonly claimsDirectory: string;
  pod(): Pod;
  /** A Warning event of the pod's. */
  warn(reason: string, message: string): void;
}

/** Where a volume is on this machine. */
export interface Place {
  readonly path: string;
  readonly readOnly: boolean;
}

export class PodVolumes {
  readonly #context: VolumeContext;
  readonly #volumes: readonly Volume[];
  readonly #places = new Map<string, Place>();
  readonly #files: { readonly name: string; readonly source: FilesSource; readonly path: string }[] = [];
  /** Ends the wait for the next attempt: something changed. */
  #wake = new AbortController();
  #unsubscribe: (() => void) | undefined;
  readonly #renewals = new Set<Timer>();
  #updating: Promise<void> | undefined;
  #again = false;

  constructor(context: VolumeContext) {
    this.#context = context;
    const spec = context.pod().spec;
    const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
    const mounted = new Set(containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name)));
    // As the kubelet: what no container mounts is not looked at.
    this.#volumes = (spec?.volumes ?? []).filter(({ name }) => mounted.has(name));
  }

  /** Those to be kept in memory; they exist as directories once `setUp` has resolved. */
  get memoryDirectories(): MemoryDirectory[] {
    return this.#volumes.flatMap((volume) => {
      const source = sourceOf(volume, this.#namespace);
      if (source.kind !== 'emptyDir' || !source.inMemory) return [];
      const { sizeBytes } = source;
      return [{ path: this.#ownPath(volume.name), ...(sizeBytes === undefined ? {} : { sizeBytes }) }];
    });
  }

  place(name: string): Place | undefined {
    return this.#places.get(name);
  }

  /** Makes all of them, for as long as it takes; false when `signal` aborted first. */
  async setUp(signal: AbortSignal): Promise<boolean> {
    for (let delay = RETRY_FIRST_MS; !signal.aborted; delay = Math.min(delay * 2, RETRY_MAX_MS)) {
      this.#wake = new AbortController();
      let complete = true;
      for (const volume of this.#volumes) {
        if (signal.aborted) break;
        complete = (await this.#attempt(volume)) && complete;
      }
      if (complete && !signal.aborted) return true;
      await sleep(this.#context.clock, delay, AbortSignal.any([signal, this.#wake.signal]));
    }
    // What was under way may have begun to follow objects, and to count a token's time, since `stop` was called.
    this.stop();
    return false;
  }

  /** The pod's own metadata may have changed, which files of the downward API show. */
  podChanged(): void {
    if (this.#files.length > 0) this.#update();
  }

  stop(): void {
    this.#unsubscribe?.();
    for (const timer of this.#renewals) timer.cancel();
  }

  get #namespace(): string {
    return this.#context.pod().metadata?.namespace ?? 'default';
  }

  #ownPath(name: string): string {
    return join(this.#context.directory, name);
  }

  async #attempt(volume: Volume): Promise<boolean> {
    if (this.#places.has(volume.name)) return true;
    try {
      const source = sourceOf(volume, this.#namespace);
      if (source.kind === 'files') this.#follow(source);
      this.#places.set(volume.name, await this.#make(volume.name, source));
      return true;
    } catch (error) {
      this.#complain(volume.name, error);
      return false;
    }
  }

  async #make(name: string, source: VolumeSource): Promise<Place> {
    switch (source.kind) {
      case 'emptyDir':
        return { path: openDirectory(this.#ownPath(name)), readOnly: false };
      case 'hostPath':
        return { path: hostPath(source.path, source.type), readOnly: false };
      case 'claim': {
        const uid = await this.#context.config.claim(this.#namespace, source.name);
        if (uid === undefined) throw new VolumeError(`persistentvolumeclaim "${source.name}" not found`);
        const directory = claimDirectory(this.#namespace, source.name, uid);
        return { path: openDirectory(join(this.#context.claimsDirectory, directory)), readOnly: source.readOnly };
      }
      case 'files': {
        const path = this.#ownPath(name);
        mkdirSync(path, { recursive: true, mode: 0o755 });
        writeAtomically(path, await source.files(this.#context.config, this.#context.pod()));
        this.#files.push({ name, source, path });
        if (source.renewMs !== undefined) this.#renewAfter(source.renewMs);
        // Kubernetes mounts configuration read-only, whatever the container says.
        return { path, readOnly: true };
      }
      case 'unsupported':
        throw new VolumeError(
          `volumes of type ${source.type} are not supported on this machine; use emptyDir, hostPath or persistentVolumeClaim`,
        );
    }
  }

  /** Before the objects are read for the first time, so that no change falls in between. */
  #follow({ objects }: FilesSource): void {
    if (objects.length === 0) return;
    this.#unsubscribe ??= this.#context.config.onChange((key) => {
      const concerned = (source: VolumeSource): boolean => source.kind === 'files' && source.objects.includes(key);
      if (!this.#volumes.some((volume) => concerned(sourceOf(volume, this.#namespace)))) return;
      this.#wake.abort();
      this.#update();
    });
  }

  #renewAfter(ms: number): void {
    // A longer time than timers can count is some 25 days; to renew early does no harm.
    const timer = this.#context.clock.after(Math.min(ms, LONGEST_TIMER_MS), () => {
      this.#renewals.delete(timer);
      this.#update();
      this.#renewAfter(ms);
    });
    this.#renewals.add(timer);
  }

  /** One at a time; what changes meanwhile is seen by the next. */
  #update(): void {
    this.#again = true;
    this.#updating ??= this.#runUpdates().finally(() => {
      this.#updating = undefined;
    });
  }

  async #runUpdates(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      for (const { name, source, path } of this.#files) {
        try {
          const files = await source.files(this.#context.config, this.#context.pod());
          // The pod's files may have gone while the API was asked.
          if (existsSync(path)) writeAtomically(path, files);
        } catch (error) {
          // The files stay as they are, as with the kubelet.
          this.#complain(name, error);
        }
      }
    }
  }

  #complain(name: string, error: unknown): void {
    const { message } = error as Error;
    if (!(error instanceof VolumeError)) this.#context.log.warn('a volume was not set up', { volume: name, message });
    this.#context.warn('FailedMount', `MountVolume.SetUp failed for volume "${name}" : ${message}`);
  }
}

/** No Kubernetes name has an underscore; a claim made anew under the same name is another one. */
export function claimDirectory(namespace: string, name: string, uid: string): string {
  return `${namespace}_${name}_${uid}`;
}

/** For every user, as the kubelet makes it: programs may run as any. */
function openDirectory(path: string): string {
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o777);
  return path;
}

const CHECKS: Readonly<Record<string, [what: string, is: (path: string) => boolean]>> = {
  Directory: ['a directory', (path) => statSync(path).isDirectory()],
  File: ['a file', (path) => statSync(path).isFile()],
  Socket: ['a socket file', (path) => statSync(path).isSocket()],
  CharDevice: ['a character device', (path) => statSync(path).isCharacterDevice()],
  BlockDevice: ['a block device', (path) => statSync(path).isBlockDevice()],
};

/** core/v1 HostPathType: what must be there, or is made. The machine is the user's own: any path may be named. */
function hostPath(path: string, type: string): string {
  const absolute = resolve('/', path);
  if (type === 'FileOrCreate') {
    mkdirSync(dirname(absolute), { recursive: true });
    if (!existsSync(absolute)) writeFileSync(absolute, '', { mode: 0o644 });
  } else if (!existsSync(absolute) && (type === 'DirectoryOrCreate' || type === '')) {
    mkdirSync(absolute, { recursive: true, mode: 0o755 });
  }
  const check = CHECKS[type.replace(/OrCreate$/, '')];
  if (check !== undefined && !(existsSync(absolute) && check[1](absolute))) {
    throw new VolumeError(`hostPath type check failed: ${path} is not ${check[0]}`);
  }
  return realpathSync(absolute);
}
