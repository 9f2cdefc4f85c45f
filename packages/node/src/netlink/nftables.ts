// nf_tables as the kernel hears it: one transaction of a table, its chains and their rules.
// The expressions are those `nft --debug=netlink` prints for the same ruleset.
import { ipv4Bytes } from './libc.ts';
import {
  attribute,
  be32,
  type NetlinkRequest,
  NetlinkSocket,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_REQUEST,
  nested,
  text,
} from './netlink.ts';

const NETLINK_NETFILTER = 12;
const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_NEWRULE = 6;
const NFPROTO_UNSPEC = 0;
const NFPROTO_IPV4 = 2;
const LIST_ELEMENT = 1;
const REG_VERDICT = 0;
const REG_1 = 1;
const META_MARK = 3;
const META_OIF = 5;
const META_L4PROTO = 16;
const NETWORK_HEADER = 1;
const TRANSPORT_HEADER = 2;
const CMP_EQ = 0;
const CMP_NEQ = 1;
const NF_ACCEPT = 1;
const NAT_RANGE_PROTO_SPECIFIED = 2;
const IPPROTO_TCP = 6;

/** netfilter's hook numbers and nft's names for the nat priorities there. */
export const HOOKS = { prerouting: { hook: 0, priority: -100 }, output: { hook: 3, priority: -100 } } as const;

export type Expression = Buffer;

export interface Chain {
  readonly name: string;
  readonly hook: keyof typeof HOOKS;
  readonly rules: readonly Rule[];
}

export interface Rule {
  /** In nft's words, for error messages. */
  readonly text: string;
  readonly expressions: readonly Expression[];
}

function expression(name: string, data: readonly Buffer[]): Expression {
  return nested(LIST_ELEMENT, [text(1, name), nested(2, data)]);
}

const value = (type: number, bytes: Buffer): Buffer => nested(type, [attribute(1, bytes)]);
const meta = (key: number): Expression => expression('meta', [be32(2, key), be32(1, REG_1)]);
const payload = (base: number, offset: number, length: number): Expression =>
  expression('payload', [be32(1, REG_1), be32(2, base), be32(3, offset), be32(4, length)]);
const compare = (operator: number, bytes: Buffer): Expression =>
  expression('cmp', [be32(1, REG_1), be32(2, operator), value(3, bytes)]);

function hostOrder(number: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(number);
  return buffer;
}

function port(number: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16BE(number);
  return buffer;
}

function mask(prefixLength: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0);
  return buffer;
}

export const isNotTcp = (): Expression[] => [meta(META_L4PROTO), compare(CMP_NEQ, Buffer.from([IPPROTO_TCP]))];
export const markIs = (mark: number): Expression[] => [meta(META_MARK), compare(CMP_EQ, hostOrder(mark))];
export const outputInterfaceIs = (index: number): Expression[] => [meta(META_OIF), compare(CMP_EQ, hostOrder(index))];
export const destinationPortIs = (number: number): Expression[] => [
  payload(TRANSPORT_HEADER, 2, 2),
  compare(CMP_EQ, port(number)),
];
export const sourceIs = (address: string): Expression[] => [
  payload(NETWORK_HEADER, 12, 4),
  compare(CMP_EQ, ipv4Bytes(address)),
];
export const sourceIsNot = (address: string): Expression[] => [
  payload(NETWORK_HEADER, 12, 4),
  compare(CMP_NEQ, ipv4Bytes(address)),
];
export const destinationIsNot = (address: string): Expression[] => [
  payload(NETWORK_HEADER, 16, 4),
  compare(CMP_NEQ, ipv4Bytes(address)),
];

export function destinationIn(network: string, prefixLength: number): Expression[] {
  const bitwise = expression('bitwise', [
    be32(1, REG_1),
    be32(2, REG_1),
    be32(3, 4),
    value(4, mask(prefixLength)),
    value(5, Buffer.alloc(4)),
  ]);
  return [payload(NETWORK_HEADER, 16, 4), bitwise, compare(CMP_EQ, ipv4Bytes(network))];
}

export const accept = (): Expression[] => [
  expression('immediate', [be32(1, REG_VERDICT), nested(2, [nested(2, [be32(1, NF_ACCEPT)])])]),
];

export const redirectTo = (number: number): Expression[] => [
  expression('immediate', [be32(1, REG_1), value(2, port(number))]),
  expression('redir', [be32(1, REG_1), be32(3, NAT_RANGE_PROTO_SPECIFIED)]),
];

/** struct nfgenmsg. */
function header(family: number, resource = 0): Buffer {
  return Buffer.from([family, 0, resource >> 8, resource & 0xff]);
}

function batchEdge(type: number): NetlinkRequest {
  return {
    type,
    flags: NLM_F_REQUEST,
    body: header(NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES),
    doing: 'start a transaction of nf_tables',
  };
}

function request(message: number, flags: number, attributes: Buffer[], doing: string): NetlinkRequest {
  return {
    type: (NFNL_SUBSYS_NFTABLES << 8) | message,
    flags: NLM_F_REQUEST | NLM_F_ACK | flags,
    body: Buffer.concat([header(NFPROTO_IPV4), ...attributes]),
    doing,
  };
}

/** Creates an IPv4 table with nat base chains and their rules, all or nothing, in the current network namespace. */
export function createNatTable(table: string, chains: readonly Chain[]): void {
  const messages = [batchEdge(NFNL_MSG_BATCH_BEGIN)];
  messages.push(
    request(NFT_MSG_NEWTABLE, NLM_F_CREATE, [text(1, table), be32(2, 0)], `create the nf_tables table ${table}`),
  );
  for (const chain of chains) {
    const { hook, priority } = HOOKS[chain.hook];
    messages.push(
      request(
        NFT_MSG_NEWCHAIN,
        NLM_F_CREATE,
        [
          text(1, table),
          text(3, chain.name),
          text(7, 'nat'),
          be32(5, NF_ACCEPT),
          nested(4, [be32(1, hook), be32(2, priority)]),
        ],
        `create the nat chain ${chain.name}`,
      ),
    );
  }
  for (const chain of chains) {
    for (const rule of chain.rules) {
      messages.push(
        request(
          NFT_MSG_NEWRULE,
          NLM_F_CREATE | NLM_F_APPEND,
          [text(1, table), text(2, chain.name), nested(4, rule.expressions)],
          `add the rule "${rule.text}" to ${chain.name}`,
        ),
      );
    }
  }
  messages.push(batchEdge(NFNL_MSG_BATCH_END));
  const socket = new NetlinkSocket(NETLINK_NETFILTER, 'open an nf_tables socket');
  try {
    socket.send(messages);
  } finally {
    socket.close();
  }
}
