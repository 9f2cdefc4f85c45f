// One pod in the fabric: the processes started for it, and connections made as they would make them.
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { PodNetworkOptions, PodProcess, PodSandbox, SpawnOptions } from '../sandbox/pod-network.ts';
import { signalProcess } from '../sandbox/processes.ts';
import { standardStreams } from '../sandbox/standard-streams.ts';
import { POD_VARIABLE, podMark, processesOf, recordSession } from './belongings.ts';
import { connectAs } from './preload/connecting.ts';
import type { Membership } from './preload/fabric.ts';
import { MEMBERSHIP_VARIABLE } from './preload/join.ts';
import type { Endpoint } from './proxy-header.ts';

/** A killed process is gone in well under this, unless the kernel holds it in the middle of some I/O. */
const KILL_PATIENCE_MS = 5_000;
/** Marks the sidecar's own processes, whose connections are not led back to it (Istio: user id 1337). */
export const SIDECAR_VARIABLE = 'VARKA_SIDECAR';

interface LoopbackSandboxParts {
  readonly ip: string;
  readonly network: string;
  readonly preload: string;
  readonly options: PodNetworkOptions;
  readonly onMapped: (mapped: Readonly<Record<string, Endpoint>>) => void;
  readonly onDestroy: () => void;
}

export class LoopbackSandbox implements PodSandbox {
  readonly ip: string;
  readonly #parts: LoopbackSandboxParts;
  readonly #leaders = new Set<number>();
  #destroyed: Promise<void> | undefined;

  constructor(parts: LoopbackSandboxParts) {
    this.ip = parts.ip;
    this.#parts = parts;
  }

  spawn(argv: readonly string[], options: SpawnOptions): PodProcess {
    const [command] = argv;
    if (command === undefined) throw new TypeError('a process needs a command');
    this.#assertAlive();
    const env = this.#environment(options.env);
    const streams = standardStreams(tied(argv, env), options);
    const [program = command, ...args] = streams.argv;
    try {
      const child = spawn(program, args, { env, cwd: options.cwd, detached: true, stdio: streams.stdio });
      if (child.pid !== undefined) {
        this.#leaders.add(child.pid);
        recordSession(this.#parts.network, child.pid);
      }
      return streams.attach(child);
    } catch (error) {
      streams.abandon();
      throw error;
    }
  }

  connect(port: number, host = '127.0.0.1'): Duplex {
    this.#assertAlive();
    return connectAs(this.#membership('application'), host, port);
  }

  processes(): number[] {
    return processesOf(this.#parts.network, this.#leaders, this.ip);
  }

  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy();
    return this.#destroyed;
  }

  async #destroy(): Promise<void> {
    const deadline = Date.now() + KILL_PATIENCE_MS;
    let left = this.processes();
    for (; left.length > 0 && Date.now() < deadline; left = this.processes()) {
      for (const pid of left) signalProcess(pid, 'SIGKILL');
      await delay(5);
    }
    this.#parts.onDestroy();
    if (left.length > 0) {
      throw new Error(
        `processes ${left.join(', ')} of the pod at ${this.ip} go on after SIGKILL: they wait in the kernel`,
      );
    }
  }

  #environment(own: Readonly<Record<string, string>>): Record<string, string> {
    const { network, preload } = this.#parts;
    const membership = this.#membership(own[SIDECAR_VARIABLE] === undefined ? 'application' : 'sidecar');
    const options = own['NODE_OPTIONS'] === undefined ? '' : ` ${own['NODE_OPTIONS']}`;
    return {
      ...own,
      [POD_VARIABLE]: podMark(network, this.ip),
      [MEMBERSHIP_VARIABLE]: JSON.stringify(membership),
      NODE_OPTIONS: `--import=${preload}${options}`,
    };
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

/** Child programs of Node inherit what makes them members; others have to be told otherwise. */
export function isNode(argv: readonly string[]): boolean {
  return basename(argv[0] ?? '') === 'node';
}
