// The expressions that nf_tables rules are made of, as bytes: those `nft --debug=netlink` prints for the same ruleset.
import { ipv4Bytes } from './libc.ts';
import { attribute, be32, nested, text } from './netlink.ts';

export type Expression = Buffer;

/** Fields of a connection's first packet, each in a register of its own: the parts of a set's key. */
export type Field = 'ip saddr' | 'ip daddr' | 'meta l4proto' | 'th dport';

export type Verdict = { readonly kind: 'accept' | 'drop' } | { readonly kind: 'goto'; readonly chain: string };

const LIST_ELEMENT = 1;
const REG_VERDICT = 0;
/** The first of the 32-bit registers; the old 16-byte register 1 lies over the first four. */
const REG32_00 = 8;
const META_MARK = 3;
const META_OIF = 5;
const META_L4PROTO = 16;
const NETWORK_HEADER = 1;
const TRANSPORT_HEADER = 2;
const CMP_EQ = 0;
const CMP_NEQ = 1;
const NF_DROP = 0;
const NF_ACCEPT = 1;
const NFT_GOTO = -4;
const NAT_SNAT = 0;
const NAT_DNAT = 1;
const NFPROTO_IPV4 = 2;
const NAT_RANGE_PROTO_SPECIFIED = 2;
const NUMGEN_RANDOM = 1;
const HASH_JENKINS = 0;
const REJECT_ICMP = 0;
const REJECT_TCP_RESET = 1;
const ICMP_PORT_UNREACHABLE = 3;
const CT_STATE = 0;
const CT_STATE_INVALID = 1;
const CT_STATUS = 2;
const CT_STATUS_DNAT = 0x20;
const ADDRESS_BYTES = 4;

export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;

function expression(name: string, data: readonly Buffer[]): Expression {
  return nested(LIST_ELEMENT, [text(1, name), nested(2, data)]);
}

const value = (type: number, bytes: Buffer): Buffer => nested(type, [attribute(1, bytes)]);
const meta = (key: number, register = REG32_00): Expression => expression('meta', [be32(2, key), be32(1, register)]);
const payload = (base: number, offset: number, length: number, register = REG32_00): Expression =>
  expression('payload', [be32(1, register), be32(2, base), be32(3, offset), be32(4, length)]);
const compare = (operator: number, bytes: Buffer): Expression =>
  expression('cmp', [be32(1, REG32_00), be32(2, operator), value(3, bytes)]);
const immediate = (bytes: Buffer): Expression => expression('immediate', [be32(1, REG32_00), value(2, bytes)]);

function and(mask: Buffer): Expression {
  return expression('bitwise', [
    be32(1, REG32_00),
    be32(2, REG32_00),
    be32(3, mask.length),
    value(4, mask),
    value(5, Buffer.alloc(mask.length)),
  ]);
}

function load(field: Field, register: number): Expression {
  switch (field) {
    case 'ip saddr':
      return payload(NETWORK_HEADER, 12, ADDRESS_BYTES, register);
    case 'ip daddr':
      return payload(NETWORK_HEADER, 16, ADDRESS_BYTES, register);
    case 'meta l4proto':
      return meta(META_L4PROTO, register);
    case 'th dport':
      return payload(TRANSPORT_HEADER, 2, 2, register);
  }
}

/** Numbers that the kernel itself makes (marks, interface indexes, counters) are in its own order. */
export function hostOrder(number: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(number);
  return buffer;
}

export function portBytes(number: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16BE(number);
  return buffer;
}

function mask(prefixLength: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0);
  return buffer;
}

export const isTcp = (): Expression[] => [meta(META_L4PROTO), compare(CMP_EQ, Buffer.from([IPPROTO_TCP]))];
export const isNotTcp = (): Expression[] => [meta(META_L4PROTO), compare(CMP_NEQ, Buffer.from([IPPROTO_TCP]))];
export const markIs = (mark: number): Expression[] => [meta(META_MARK), compare(CMP_EQ, hostOrder(mark))];
export const outputInterfaceIs = (index: number): Expression[] => [meta(META_OIF), compare(CMP_EQ, hostOrder(index))];
export const destinationPortIs = (number: number): Expression[] => [
  load('th dport', REG32_00),
  compare(CMP_EQ, portBytes(number)),
];
export const sourceIs = (address: string): Expression[] => [
  load('ip saddr', REG32_00),
  compare(CMP_EQ, ipv4Bytes(address)),
];
export const sourceIsNot = (address: string): Expression[] => [
  load('ip saddr', REG32_00),
  compare(CMP_NEQ, ipv4Bytes(address)),
];
export const destinationIsNot = (address: string): Expression[] => [
  load('ip daddr', REG32_00),
  compare(CMP_NEQ, ipv4Bytes(address)),
];
export const destinationIn = (network: string, prefixLength: number): Expression[] => [
  load('ip daddr', REG32_00),
  and(mask(prefixLength)),
  compare(CMP_EQ, ipv4Bytes(network)),
];

const conntrackHas = (key: number, bit: number): Expression[] => [
  expression('ct', [be32(1, REG32_00), be32(2, key)]),
  and(hostOrder(bit)),
  compare(CMP_NEQ, hostOrder(0)),
];
/** `ct state invalid`. */
export const isInvalid = (): Expression[] => conntrackHas(CT_STATE, CT_STATE_INVALID);
/** `ct status dnat`. */
export const isTranslated = (): Expression[] => conntrackHas(CT_STATUS, CT_STATUS_DNAT);

function loadKey(fields: readonly Field[]): Expression[] {
  return fields.map((field, index) => load(field, REG32_00 + index));
}

/** The fields together are an element of the set. */
export const isIn = (fields: readonly Field[], set: string): Expression[] => [
  ...loadKey(fields),
  expression('lookup', [text(1, set), be32(2, REG32_00)]),
];

/** What the map says of the fields is done. */
export const followMap = (fields: readonly Field[], map: string): Expression[] => [
  ...loadKey(fields),
  expression('lookup', [text(1, map), be32(2, REG32_00), be32(3, REG_VERDICT)]),
];

/** How one of a number of destinations is chosen: at random, or the same each time for a client's address. */
export type Choice = 'random' | 'by-client';

function choose(choice: Choice, among: number, register: number): Expression[] {
  if (choice === 'random') {
    return [expression('numgen', [be32(1, register), be32(2, among), be32(3, NUMGEN_RANDOM), be32(4, 0)])];
  }
  return [
    load('ip saddr', register),
    expression('hash', [
      be32(1, register),
      be32(2, register),
      be32(3, ADDRESS_BYTES),
      be32(4, among),
      be32(5, 0),
      be32(7, HASH_JENKINS),
    ]),
  ];
}

/** `dnat to FIELDS . CHOICE mod AMONG map @MAP`; the map's values are an address and a port. */
export function translateByMap(fields: readonly Field[], choice: Choice, among: number, map: string): Expression[] {
  return [
    ...loadKey(fields),
    ...choose(choice, among, REG32_00 + fields.length),
    expression('lookup', [text(1, map), be32(2, REG32_00), be32(3, REG32_00)]),
    expression('nat', [
      be32(1, NAT_DNAT),
      be32(2, NFPROTO_IPV4),
      be32(3, REG32_00),
      be32(5, REG32_00 + 1),
      be32(7, NAT_RANGE_PROTO_SPECIFIED),
    ]),
  ];
}

/** `snat to ADDRESS`. */
export const translateSource = (address: string): Expression[] => [
  immediate(ipv4Bytes(address)),
  expression('nat', [be32(1, NAT_SNAT), be32(2, NFPROTO_IPV4), be32(3, REG32_00)]),
];

export const redirectTo = (port: number): Expression[] => [
  immediate(portBytes(port)),
  expression('redir', [be32(1, REG32_00), be32(3, NAT_RANGE_PROTO_SPECIFIED)]),
];

export const rejectWithReset = (): Expression[] => [expression('reject', [be32(1, REJECT_TCP_RESET)])];
export const rejectPort = (): Expression[] => [
  expression('reject', [be32(1, REJECT_ICMP), attribute(2, Buffer.from([ICMP_PORT_UNREACHABLE]))]),
];

export const accept = (): Expression[] => [decide({ kind: 'accept' })];
export const drop = (): Expression[] => [decide({ kind: 'drop' })];

function decide(verdict: Verdict): Expression {
  return expression('immediate', [be32(1, REG_VERDICT), nested(2, [verdictData(verdict)])]);
}

/** NFTA_DATA_VERDICT. */
export function verdictData(verdict: Verdict): Buffer {
  switch (verdict.kind) {
    case 'accept':
      return nested(2, [be32(1, NF_ACCEPT)]);
    case 'drop':
      return nested(2, [be32(1, NF_DROP)]);
    case 'goto':
      return nested(2, [be32(1, NFT_GOTO), text(2, verdict.chain)]);
  }
}
