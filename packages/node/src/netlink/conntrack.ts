// Connection tracking's memory of translated flows (ctnetlink), for taking out those whose end is known.
import { KernelError } from './libc.ts';
import {
  attribute,
  type NetlinkRequest,
  type NetlinkSocket,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  readAttributes,
} from './netlink.ts';

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const NLA_F_NESTED = 0x8000;
const NFPROTO_IPV4 = 2;
/** struct nfgenmsg. */
const HEADER = Buffer.from([NFPROTO_IPV4, 0, 0, 0]);

/** Where a flow was sent, and who answers it: `ADDRESS:PORT` both. */
export interface Flow {
  readonly protocol: number;
  readonly destination: string;
  readonly answeredBy: string;
}

/** Forgets flows, so that the next packet of each is looked at anew. Returns how many there were. */
export function forgetFlows(socket: NetlinkSocket, wanted: (flow: Flow) => boolean): number {
  const listed = socket.dump(request(IPCTNL_MSG_CT_GET, NLM_F_DUMP, HEADER, 'list tracked connections'));
  const ended = listed.flatMap((body) => {
    const attributes = readAttributes(body.subarray(HEADER.length));
    const original = attributes.get(CTA_TUPLE_ORIG);
    const reply = attributes.get(CTA_TUPLE_REPLY);
    if (original === undefined || reply === undefined) return [];
    const { protocol, destination } = readTuple(original);
    return wanted({ protocol, destination, answeredBy: readTuple(reply).source }) ? [original] : [];
  });
  return ended.filter((original) => forget(socket, original)).length;
}

/** False when it ended by itself meanwhile. */
function forget(socket: NetlinkSocket, original: Buffer): boolean {
  const body = Buffer.concat([HEADER, attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, original)]);
  try {
    socket.send([request(IPCTNL_MSG_CT_DELETE, NLM_F_ACK, body, 'forget a tracked connection')]);
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ENOENT') return false;
    throw error;
  }
}

function request(message: number, flags: number, body: Buffer, doing: string): NetlinkRequest {
  return { type: (NFNL_SUBSYS_CTNETLINK << 8) | message, flags: NLM_F_REQUEST | flags, body, doing };
}

function readTuple(tuple: Buffer): { protocol: number; source: string; destination: string } {
  const parts = readAttributes(tuple);
  const addresses = readAttributes(parts.get(CTA_TUPLE_IP) ?? Buffer.alloc(0));
  const proto = readAttributes(parts.get(CTA_TUPLE_PROTO) ?? Buffer.alloc(0));
  const end = (address: number, port: number): string =>
    `${[...(addresses.get(address) ?? [])].join('.')}:${proto.get(port)?.readUInt16BE(0) ?? ''}`;
  return {
    protocol: proto.get(CTA_PROTO_NUM)?.[0] ?? 0,
    source: end(CTA_IP_V4_SRC, CTA_PROTO_SRC_PORT),
    destination: end(CTA_IP_V4_DST, CTA_PROTO_DST_PORT),
  };
}
