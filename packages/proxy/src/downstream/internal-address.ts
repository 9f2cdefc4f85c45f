// Which addresses count as internal (Envoy: Network::Utility::isInternalAddress): RFC 1918, RFC 4193 and loopback.
import net from 'node:net';

const INTERNAL = new net.BlockList();
INTERNAL.addSubnet('10.0.0.0', 8, 'ipv4');
INTERNAL.addSubnet('172.16.0.0', 12, 'ipv4');
INTERNAL.addSubnet('192.168.0.0', 16, 'ipv4');
INTERNAL.addSubnet('127.0.0.0', 8, 'ipv4');
INTERNAL.addAddress('::1', 'ipv6');
INTERNAL.addSubnet('fc00::', 7, 'ipv6');

let lastAddress = '';
let lastAnswer = false;

/** The last answer is kept: behind a gateway the same client comes many times in a row. */
export function isInternalAddress(address: string): boolean {
  if (address === lastAddress) return lastAnswer;
  const version = net.isIP(address);
  lastAddress = address;
  lastAnswer = version !== 0 && INTERNAL.check(address, version === 6 ? 'ipv6' : 'ipv4');
  return lastAnswer;
}
