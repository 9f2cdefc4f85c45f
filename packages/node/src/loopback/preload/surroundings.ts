// What tells a program where it is: the pod's own host name and interfaces, and variables that were meant for others.
import os, { type NetworkInterfaceInfo } from 'node:os';
import type { Membership } from './fabric.ts';

export function patchSurroundings({ hostname, address, restore = {} }: Membership): void {
  os.hostname = () => hostname;
  os.networkInterfaces = () => ({
    lo: [ipv4('127.0.0.1', 8, true)],
    eth0: [ipv4(address, 32, false)],
  });
  for (const [name, value] of Object.entries(restore)) {
    if (value === null) delete process.env[name];
    else process.env[name] = value;
  }
}

function ipv4(address: string, prefixLength: number, internal: boolean): NetworkInterfaceInfo {
  const netmask = prefixLength === 32 ? '255.255.255.255' : '255.0.0.0';
  const mac = '00:00:00:00:00:00';
  return { address, netmask, family: 'IPv4', mac, internal, cidr: `${address}/${prefixLength}` };
}
