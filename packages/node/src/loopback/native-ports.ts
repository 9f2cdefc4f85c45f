// Where a program without a preload is to listen on this machine for a port that its container declares.
import { readFileSync } from 'node:fs';
import type { Endpoint } from './proxy-header.ts';

/** proc(5), /proc/net/tcp: the state of a socket that listens. */
const LISTEN = '0A';
const FIRST_FREE = 20_000;
const LAST_FREE = 32_000;

/** The port itself at the pod's own loopback address, or else one that is free. */
export function nativePort(host: string, wanted: number, taken: ReadonlySet<number>): Endpoint {
  // Elsewhere all of 127.0.0.0/8 but one address is missing, and nothing tells at once which ports are in use.
  const canBeSame = process.platform === 'linux' && mayBind(wanted) && !listeningPorts().has(wanted);
  return { address: host, port: canBeSame ? wanted : freePort(taken) };
}

function freePort(taken: ReadonlySet<number>): number {
  const inUse = process.platform === 'linux' ? listeningPorts() : new Set<number>();
  const span = LAST_FREE - FIRST_FREE;
  const first = Math.floor(Math.random() * span);
  for (let step = 0; step < span; step++) {
    const port = FIRST_FREE + ((first + step) % span);
    if (!inUse.has(port) && !taken.has(port)) return port;
  }
  throw new Error(`no port from ${FIRST_FREE} to ${LAST_FREE} is free on this machine`);
}

function mayBind(port: number): boolean {
  if (process.geteuid?.() === 0) return true;
  return port >= Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
}

/** Those of every address: one that listens on 0.0.0.0 is in the way of all others, and would be taken for the pod. */
function listeningPorts(): Set<number> {
  const ports = new Set<number>();
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readTable(file).split('\n').slice(1)) {
      const [, local = '', , state] = line.trim().split(/\s+/);
      if (state !== LISTEN) continue;
      const [address = '', port = ''] = local.split(':');
      if (!isOwn(address)) ports.add(Number.parseInt(port, 16));
    }
  }
  return ports;
}

/** 127.128.0.0 to 127.253.255.255, in the kernel's own order of bytes: pods', which are in nobody else's way. */
function isOwn(address: string): boolean {
  const second = Number.parseInt(address.slice(4, 6), 16);
  return address.length === 8 && address.endsWith('7F') && second >= 128;
}

function readTable(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    // A machine without IPv6.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
