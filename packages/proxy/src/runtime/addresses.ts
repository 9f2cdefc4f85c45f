// core.v3.Address as address and port; only TCP sockets are carried out.
import type { Problems } from '@varka/decide/problems.ts';
import { type Address, SocketAddress_Protocol as Protocol } from '@varka/xds/gen/envoy/config/core/v3/address_pb.ts';

export interface SocketEndpoint {
  readonly address: string;
  readonly port: number;
}

export function readAddress(address: Address | undefined, problems: Problems): SocketEndpoint | undefined {
  const kind = address?.address;
  if (kind?.case !== 'socketAddress') {
    problems.add(kind?.case === undefined ? 'address is missing' : `${kind.case} is not supported`);
    return undefined;
  }
  const { value } = kind;
  if (value.protocol !== Protocol.TCP) problems.add('only protocol TCP is supported');
  if (value.address === '') problems.add('socket_address.address is empty');
  if (value.portSpecifier.case !== 'portValue') {
    problems.add('socket_address.port_value is needed');
    return undefined;
  }
  const port = value.portSpecifier.value;
  if (port > 65_535) problems.add(`port ${port} is not within 0 to 65535`);
  return { address: value.address, port };
}

/** `address:port`, an IPv6 address in brackets. */
export function formatEndpoint(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
