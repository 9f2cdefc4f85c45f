// One pod in the fabric: the processes started for it, and connections made as they would make them.
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { assertEnded, endProcesses } from '../sandbox/end-processes.ts';
import type { Mount, PodNetworkOptions, PodProcess, PodSandbox, SpawnOptions } from '../sandbox/pod-network.ts';
import { processTable, signalProcess } from '../sandbox/processes.ts';
import { standardStreams } from '../sandbox/standard-streams.ts';
import {
  forgetSessions,
  type Leaders,
  POD_VARIABLE,
  podMark,
  processesOf,
  recordSessions,
  withSessions,
} from './belongings.ts';
import { nativePort } from './native-ports.ts';
import { connectAs } from './preload/connecting.ts';
import { Fabric, type Membership } from './preload/fabric.ts';
import { sourceOf } from './preload/files.ts';
import { MEMBERSHIP_VARIABLE } from './preload/join.ts';
import type { Endpoint } from './proxy-header.ts';

/** Marks the sidecar's own processes, whose connections are not led back to it (Istio: user id 1337). */
export const SIDECAR_VARIABLE = 'VARKA_SIDECAR';

interface LoopbackSandboxParts {
  readonly ip: string;
  readonly network: string;
  readonly preload: string;
  /** Where its programs without a preload are to listen. */
  readonly host: string;
  /** Gives the value of HTTP_PROXY. */
  readonly admit: (member: Membership) => string;
  readonly options: PodNetworkOptions;
  readonly onMapped: (mapped: Readonly<Record<string, Endpoint>>) => void;
  readonly onDestroy: () => void;
}

export class LoopbackSandbox implements PodSandbox {
  readonly ip: string;
  readonly #parts: LoopbackSandboxParts;
  /** Of the sessions that go on, and of such as have ended since the last one began. */
  #leaders: Leaders = new Map();
  readonly #mapped: Record<number, Endpoint> = {};
  /** One way in for all of its programs. */
  #proxy: string | undefined;
  #destroyed: Promise<void> | undefined;

  constructor(parts: LoopbackSandboxParts) {
    this.ip = parts.ip;
    this.#parts = parts;
  }

  spawn(
    argv: readonly string[],
    { env: given, cwd, mounts = [], ports = [], root, ...options }: SpawnOptions,
  ): PodProcess {
    if (argv.length === 0) throw new TypeError('a process needs a command');
    if (root !== undefined) {
      throw new Error('an image with files of its own needs namespaces, which this sandbox does without');
    }
    this.#assertAlive();
    const env = this.#environment(argv, given, mounts, ports);
    const streams = standardStreams(tied(translated(argv, mounts), env), options);
    const [command = '', ...args] = streams.argv;
    try {
      const child = spawn(command, args, {
        env,
        cwd: sourceOf(cwd, mounts),
        detached: true,
        stdio: streams.stdio,
      });
      this.#keep(child);
      return streams.attach(child);
    } catch (error) {
      streams.abandon();
      throw error;
    }
  }

  /** Ends the program when it cannot be noted: nobody would find it again. */
  #keep({ pid }: ChildProcess): void {
    if (pid === undefined) return;
    const table = processTable();
    const startTime = table.find((entry) => entry.pid === pid)?.startTime ?? '';
    this.#leaders = withSessions(this.#leaders, table).set(pid, startTime);
    try {
      recordSessions(this.#parts.network, this.ip, this.#leaders);
    } catch (error) {
      signalProcess(pid, 'SIGKILL');
      throw error;
    }
  }

  connect(port: number, host = '127.0.0.1'): Duplex {
    this.#assertAlive();
    return connectAs(new Fabric(this.#membership('application')), host, port);
  }

  processes(): number[] {
    return processesOf(this.#parts.network, this.#leaders, this.ip);
  }

  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy();
    return this.#destroyed;
  }

  async #destroy(): Promise<void> {
    const left = await endProcesses(() => this.processes());
    // What would not end is found by its record once more when the network goes.
    if (left.length === 0) forgetSessions(this.#parts.network, this.ip);
    this.#parts.onDestroy();
    assertEnded(left, this.ip);
  }

  #environment(
    argv: readonly string[],
    own: Readonly<Record<string, string>>,
    mounts: readonly Mount[],
    ports: readonly number[],
  ): Record<string, string> {
    const { network, preload } = this.#parts;
    const forOthers = isNode(argv) ? {} : { ...translatedPaths(own, mounts), ...this.#native(own, ports) };
    const restore = Object.fromEntries(Object.keys(forOthers).map((name) => [name, own[name] ?? null]));
    const membership: Membership = {
      ...this.#membership(own[SIDECAR_VARIABLE] === undefined ? 'application' : 'sidecar'),
      ...(mounts.length === 0 ? {} : { mounts }),
      restore,
    };
    const options = own['NODE_OPTIONS'] === undefined ? '' : ` ${own['NODE_OPTIONS']}`;
    const volumes = Object.fromEntries(mounts.map(({ path, source }) => [path, source]));
    return {
      ...own,
      ...forOthers,
      ...(mounts.length === 0 ? {} : { VARKA_VOLUMES: JSON.stringify(volumes) }),
      [POD_VARIABLE]: podMark(network, this.ip),
      [MEMBERSHIP_VARIABLE]: JSON.stringify(membership),
      NODE_OPTIONS: `--import=${preload}${options}`,
    };
  }

  /** What leads a program that knows nothing of the fabric into it, and out of it to where it is to listen. */
  #native(own: Readonly<Record<string, string>>, ports: readonly number[]): Record<string, string> {
    const { host } = this.#parts;
    const proxies = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy'].filter(
      (name) => own[name] === undefined,
    );
    const variables: Record<string, string> = Object.fromEntries(proxies.map((name) => [name, this.#proxyUrl()]));
    const [first] = ports;
    if (first === undefined) return variables;
    for (const port of ports) {
      this.#mapped[port] ??= nativePort(host, port, new Set(Object.values(this.#mapped).map((each) => each.port)));
    }
    this.#parts.onMapped(this.#mapped);
    variables['HOST'] = host;
    // A port that the pod itself asks for by this name is told where it is now.
    const wanted = Number(own['PORT'] ?? first);
    if (this.#mapped[wanted] !== undefined) variables['PORT'] = String(this.#mapped[wanted].port);
    return variables;
  }

  #proxyUrl(): string {
    this.#proxy ??= this.#parts.admit(this.#membership('application'));
    return this.#proxy;
  }

  #membership(kind: Membership['kind']): Membership {
    const { network, options } = this.#parts;
    const { hostname, fqdn, searches, hostAliases = [] } = options;
    const hosts: Record<string, string[]> = { localhost: ['127.0.0.1', '::1'], [hostname]: [this.ip] };
    if (fqdn !== undefined) hosts[fqdn] = [this.ip];
    for (const { ip, hostnames = [] } of hostAliases) {
      for (const name of hostnames) hosts[name] = [...(hosts[name] ?? []), ip];
    }
    return { network, address: this.ip, kind, hostname, hosts, searches };
  }

  #assertAlive(): void {
    if (this.#destroyed !== undefined) throw new Error(`the pod at ${this.ip} is being removed`);
  }
}

/** Programs without a preload see no mounts: what they are told of files below one is told as where these are. */
function translated(argv: readonly string[], mounts: readonly Mount[]): readonly string[] {
  return isNode(argv) ? argv : argv.map((word) => (word.startsWith('/') ? sourceOf(word, mounts) : word));
}

function translatedPaths(env: Readonly<Record<string, string>>, mounts: readonly Mount[]): Record<string, string> {
  const paths = Object.entries(env).filter(([, value]) => value.startsWith('/'));
  const moved = paths.map(([name, value]) => [name, sourceOf(value, mounts)] as const);
  return Object.fromEntries(moved.filter(([name, value]) => value !== env[name]));
}

/**
 * With util-linux's setpriv in front, which ends the program when the supervisor dies. What cannot be started is left to
 * be found out without it, so that Node tells why.
 */
function tied(argv: readonly string[], env: Readonly<Record<string, string>>): readonly string[] {
  if (process.platform !== 'linux' || findProgram(argv[0] ?? '', env) === undefined) return argv;
  const setpriv = findProgram('setpriv', { PATH: process.env['PATH'] ?? '' });
  return setpriv === undefined ? argv : [setpriv, '--pdeathsig', 'KILL', ...argv];
}

function findProgram(name: string, { PATH = '' }: Readonly<Record<string, string>>): string | undefined {
  if (name.includes('/')) return isProgram(name) ? name : undefined;
  return PATH.split(delimiter)
    .map((directory) => join(directory, name))
    .find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return false;
  }
}

/** Such a program is a member by its preload; its own children inherit that. */
function isNode(argv: readonly string[]): boolean {
  return basename(argv[0] ?? '') === 'node';
}
