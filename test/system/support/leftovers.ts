// Counts what a mesh could leave behind: processes, namespaces, mounts, sockets, interfaces.
import { existsSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Mesh } from './mesh.ts';

interface RuntimeFile {
  readonly api: string;
  readonly gateway: { readonly http: string; readonly https: string };
  readonly supervisor: readonly { readonly pid: number }[];
  /** Of the loopback sandbox. */
  readonly fabric?: string;
}

/** What a running mesh has, noted while it runs so that it can be looked for afterwards. */
export interface Traces {
  /** Inodes of its PID, network and mount namespaces: `pid:[4026532198]`. */
  readonly namespaces: readonly string[];
  readonly ports: readonly number[];
  readonly processes: number;
  readonly supervisor: number;
  /** Without namespaces: the directory that is the network, which every pod's process is told of. */
  readonly fabric: string | undefined;
}

const KINDS = ['pid', 'net', 'mnt'] as const;

function processIds(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function readOr<T>(fallback: T, read: () => T): T {
  try {
    return read();
  } catch {
    return fallback; // the process ended while it was looked at, or is another user's
  }
}

function namespacesOf(pid: number): string[] {
  return KINDS.map((kind) => readOr('', () => readlinkSync(`/proc/${pid}/ns/${kind}`)));
}

/**
 * Until this test process ends: the kernel gives the number of a namespace that has gone to the next one, which may be
 * another mesh's, but not while somebody has it open. A namespace that is open keeps no process alive.
 */
function holdNamespaces(pid: number): void {
  for (const kind of KINDS) readOr(undefined, () => openSync(`/proc/${pid}/ns/${kind}`, 'r'));
}

export function traces(mesh: Mesh): Traces {
  const runtime = JSON.parse(readFileSync(join(mesh.directory, 'runtime.json'), 'utf8')) as RuntimeFile;
  const { fabric } = runtime;
  const inside = runtime.supervisor.at(-1)?.pid ?? 0;
  const [pidNamespace = ''] = namespacesOf(inside);
  const members = processIds().filter((pid) => namespacesOf(pid)[0] === pidNamespace && pidNamespace !== '');
  const own = new Set(namespacesOf(process.pid));
  // Held before they are read: what is read is then what is held.
  if (fabric === undefined) for (const pid of members) holdNamespaces(pid);
  const namespaces = [...new Set(members.flatMap(namespacesOf))].filter((name) => name !== '' && !own.has(name));
  const ports = [runtime.api, runtime.gateway.http, runtime.gateway.https].map((url) => Number(new URL(url).port));
  if (fabric !== undefined) {
    return {
      namespaces: [],
      ports,
      fabric,
      supervisor: inside,
      processes: processIds().filter((pid) => isOf(fabric, pid)).length,
    };
  }
  return { namespaces, ports, fabric, supervisor: inside, processes: members.length };
}

function isOf(fabric: string, pid: number): boolean {
  return readOr('', () => readFileSync(`/proc/${pid}/environ`, 'utf8')).includes(`VARKA_POD=${fabric}:`);
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0');
}

/** Ended, holding nothing, until its parent looks: for what lost its own parent that is the machine's init. */
function isZombie(pid: number): boolean {
  const stat = readOr('', () => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
}

/** One line for each thing that is still there. */
export function leftovers(mesh: Mesh, { namespaces, ports, fabric }: Traces): string[] {
  const found: string[] = [];
  if (fabric !== undefined && existsSync(fabric)) found.push(`directory ${fabric}`);
  for (const pid of processIds()) {
    const held = namespacesOf(pid).filter((name) => namespaces.includes(name));
    const command = readOr('', () => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
    const environment = readOr('', () => readFileSync(`/proc/${pid}/environ`, 'utf8'));
    if (pid === process.pid || isZombie(pid)) continue;
    // The front is not in the namespaces; it is known by its home, which no other test shares.
    const front =
      /packages\/varka\/src\/(main|supervisor)/.test(command) && environment.includes(`VARKA_HOME=${mesh.home}\0`);
    const ofPod = fabric !== undefined && isOf(fabric, pid);
    if (held.length > 0 || ofPod || (front && !command.includes('down') && command.includes(mesh.profile)))
      found.push(`process ${pid}: ${command.slice(0, 120)}`);
  }
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    // A namespace that is kept by a mount shows as `nsfs`, by its number.
    if ([mesh.directory, ...namespaces].some((trace) => line.includes(trace))) found.push(`mount: ${line}`);
  }
  for (const line of readFileSync('/proc/net/unix', 'utf8').split('\n'))
    if (line.includes(mesh.directory)) found.push(`socket: ${line}`);
  const listening = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state]) => state === '0A');
  for (const port of ports)
    if (listening.some(([, local]) => local?.endsWith(`:${hex(port)}`))) found.push(`listening on port ${port}`);
  for (const name of readdirSync('/sys/class/net')) if (/^(varka|veth)/.test(name)) found.push(`interface ${name}`);
  for (const name of readOr([] as string[], () => readdirSync(mesh.directory))) {
    if (['lock', 'control.sock', 'runtime.json'].includes(name)) found.push(`file ${name}`);
  }
  return found;
}
