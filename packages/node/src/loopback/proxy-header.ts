// The first bytes of every connection in the fabric: who calls, and whom it called (PROXY protocol version 2, a binary
// header of 28 bytes for TCP over IPv4). A Unix socket has no addresses of its own to tell.

export interface Endpoint {
  /** IPv4. */
  readonly address: string;
  readonly port: number;
}

export interface ProxyHeader {
  readonly source: Endpoint;
  readonly destination: Endpoint;
}

/** Signature, version 2 and command PROXY, family TCP over IPv4, length of the addresses: the same in all of ours. */
const START = Buffer.from('0d0a0d0a000d0a515549540a' + '21' + '11' + '000c', 'hex');
const SOURCE = START.length;
const DESTINATION = SOURCE + 4;
const PORTS = DESTINATION + 4;
export const HEADER_BYTES = PORTS + 4;

export function encodeHeader({ source, destination }: ProxyHeader): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  START.copy(header);
  writeAddress(header, SOURCE, source.address);
  writeAddress(header, DESTINATION, destination.address);
  header.writeUInt16BE(source.port, PORTS);
  header.writeUInt16BE(destination.port, PORTS + 2);
  return header;
}

/** undefined when these are not the first bytes of a connection in the fabric. */
export function decodeHeader(header: Buffer): ProxyHeader | undefined {
  if (header.length !== HEADER_BYTES || !header.subarray(0, START.length).equals(START)) return undefined;
  return {
    source: { address: readAddress(header, SOURCE), port: header.readUInt16BE(PORTS) },
    destination: { address: readAddress(header, DESTINATION), port: header.readUInt16BE(PORTS + 2) },
  };
}

function writeAddress(into: Buffer, at: number, address: string): void {
  address.split('.').forEach((part, index) => {
    into[at + index] = Number(part);
  });
}

function readAddress(from: Buffer, at: number): string {
  return `${from[at]}.${from[at + 1]}.${from[at + 2]}.${from[at + 3]}`;
}
