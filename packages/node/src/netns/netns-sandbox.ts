// One pod's place on this machine: its namespaces, the processes in them, and sockets that are made inside.
import { spawn } from 'node:child_process';
import { closeSync, fstatSync, readdirSync, readlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { AF_INET, SOCK_STREAM, socket } from '../netlink/libc.ts';
import { assertEnded, endProcesses } from '../sandbox/end-processes.ts';
import type { Mount, PodProcess, PodSandbox, RootDirectory, SpawnOptions } from '../sandbox/pod-network.ts';
import { standardStreams } from '../sandbox/standard-streams.ts';
import { mountInContainer } from './container-mounts.ts';
import {
  closeNamespaces,
  createMountNamespace,
  insideNamespaces,
  insideNetwork,
  type NamespaceFds,
} from './namespaces.ts';

/** A container that is restarted again and again leaves one each time; what it runs holds its own. */
const MAX_MOUNT_NAMESPACES = 64;

interface NetnsSandboxParts {
  readonly ip: string;
  readonly namespaces: NamespaceFds;
  /** A directory of the pod's own, there while it lives. */
  readonly directory: string;
  readonly onDestroy: () => void;
}

export class NetnsSandbox implements PodSandbox {
  readonly ip: string;
  readonly #namespaces: NamespaceFds;
  readonly #directory: string;
  /** Mount namespaces by what is mounted in them: an exec sees what its container sees, and costs no second one. */
  readonly #mountNamespaces = new Map<string, number>();
  readonly #onDestroy: () => void;
  #destroyed: Promise<void> | undefined;

  constructor({ ip, namespaces, directory, onDestroy }: NetnsSandboxParts) {
    this.ip = ip;
    this.#namespaces = namespaces;
    this.#directory = directory;
    this.#onDestroy = onDestroy;
  }

  /** As child_process.spawn: a program that cannot be started is told by the child's `error` event. */
  spawn(argv: readonly string[], { env, cwd, mounts = [], root, ...options }: SpawnOptions): PodProcess {
    if (argv.length === 0) throw new TypeError('a process needs a command');
    this.#assertAlive();
    const mnt = this.#mountNamespace(mounts, root);
    const streams = standardStreams(argv, options);
    const [command = '', ...args] = streams.argv;
    try {
      const child = insideNamespaces({ ...this.#namespaces, mnt }, () =>
        spawn(command, args, { env, cwd, detached: true, stdio: streams.stdio }),
      );
      return streams.attach(child);
    } catch (error) {
      streams.abandon();
      throw error;
    }
  }

  /** A connection from inside the pod, as its own processes would make it (kubectl port-forward does this). */
  connect(port: number, host = '127.0.0.1'): Socket {
    this.#assertAlive();
    const fd = insideNetwork(this.#namespaces, () => socket(AF_INET, SOCK_STREAM, 0, 'make a socket in a pod'));
    return new Socket({ fd }).connect({ host, port });
  }

  /** Every process in the pod's network namespace, whoever started it. */
  processes(): number[] {
    const own = `net:[${fstatSync(this.#namespaces.net).ino}]`;
    const found: number[] = [];
    for (const entry of readdirSync('/proc')) {
      const pid = Number(entry);
      if (Number.isInteger(pid) && networkOf(pid) === own) found.push(pid);
    }
    return found;
  }

  /**
   * Kills what still runs, then lets the namespaces go: with the last descriptor the kernel takes them apart. Rejects
   * when a process would not end; everything else is done then, too.
   */
  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy();
    return this.#destroyed;
  }

  async #destroy(): Promise<void> {
    const left = await endProcesses(() => this.processes());
    closeNamespaces(this.#namespaces);
    for (const mnt of this.#mountNamespaces.values()) closeSync(mnt);
    this.#onDestroy();
    assertEnded(left, this.ip);
  }

  #mountNamespace(mounts: readonly Mount[], root: RootDirectory | undefined): number {
    if (mounts.length === 0 && root === undefined) return this.#namespaces.mnt;
    const key = JSON.stringify([mounts, root]);
    const known = this.#mountNamespaces.get(key);
    if (known !== undefined) return known;
    const made = createMountNamespace(this.#namespaces, () => mountInContainer(mounts, root, this.#directory));
    this.#mountNamespaces.set(key, made);
    const [oldest] = this.#mountNamespaces;
    if (oldest !== undefined && this.#mountNamespaces.size > MAX_MOUNT_NAMESPACES) {
      this.#mountNamespaces.delete(oldest[0]);
      closeSync(oldest[1]);
    }
    return made;
  }

  #assertAlive(): void {
    if (this.#destroyed !== undefined) throw new Error(`the pod at ${this.ip} is being removed`);
  }
}

function networkOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch (error) {
    // Gone since the listing, a zombie, or another user's: in no case a process of ours.
    if (['ENOENT', 'EACCES', 'ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
