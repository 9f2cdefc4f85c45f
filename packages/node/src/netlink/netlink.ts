// Netlink's envelope: messages and attributes as bytes, and a socket that sends some and takes the kernel's answers.
import { closeSync } from 'node:fs';
import { AF_NETLINK, bind, KernelError, receive, SOCK_RAW, send, socket } from './libc.ts';

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
export const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLA_F_NESTED = 0x8000;
const HEADER_LENGTH = 16;
/** Larger than any answer to what we ask; the kernel truncates rather than overruns. */
const RECEIVE_BUFFER = 65_536;

export interface NetlinkRequest {
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
  /** For the error, should the kernel refuse: "add the address 10.244.0.1/16". */
  readonly doing: string;
}

/** One attribute, padded to four bytes. */
export function attribute(type: number, payload: Buffer): Buffer {
  const buffer = Buffer.alloc((4 + payload.length + 3) & ~3);
  buffer.writeUInt16LE(4 + payload.length, 0);
  buffer.writeUInt16LE(type, 2);
  payload.copy(buffer, 4);
  return buffer;
}

export function nested(type: number, attributes: readonly Buffer[]): Buffer {
  return attribute(type | NLA_F_NESTED, Buffer.concat(attributes));
}

export function text(type: number, value: string): Buffer {
  return attribute(type, Buffer.from(`${value}\0`));
}

/** Host order, as rtnetlink has its numbers. Every machine Node 24 is built for here is little-endian. */
export function u32(type: number, value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value >>> 0);
  return attribute(type, buffer);
}

/** Network order, as nf_tables has its numbers. */
export function be32(type: number, value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value >>> 0);
  return attribute(type, buffer);
}

/** A message's attributes by type; of several of one type, the last. What is cut short is left out. */
export function readAttributes(body: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= body.length; ) {
    const length = body.readUInt16LE(at);
    if (length < 4 || at + length > body.length) break;
    found.set(body.readUInt16LE(at + 2) & ~NLA_F_NESTED, body.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

function encode(request: NetlinkRequest, sequence: number): Buffer {
  const buffer = Buffer.alloc((HEADER_LENGTH + request.body.length + 3) & ~3);
  buffer.writeUInt32LE(HEADER_LENGTH + request.body.length, 0);
  buffer.writeUInt16LE(request.type, 4);
  buffer.writeUInt16LE(request.flags, 6);
  buffer.writeUInt32LE(sequence, 8);
  request.body.copy(buffer, HEADER_LENGTH);
  return buffer;
}

interface Message {
  readonly type: number;
  readonly sequence: number;
  readonly payload: Buffer;
}

function* messages(buffer: Buffer, length: number): Generator<Message> {
  for (let at = 0; at + HEADER_LENGTH <= length; ) {
    const size = buffer.readUInt32LE(at);
    if (size < HEADER_LENGTH || at + size > length) return;
    yield {
      type: buffer.readUInt16LE(at + 4),
      sequence: buffer.readUInt32LE(at + 8),
      payload: buffer.subarray(at + HEADER_LENGTH, at + size),
    };
    at += (size + 3) & ~3;
  }
}

/**
 * A netlink socket of the network namespace the process is in when it is opened. All calls are synchronous: rtnetlink
 * and nf_tables do the work, and queue their answer, before sendto returns.
 */
export class NetlinkSocket {
  readonly #fd: number;
  #sequence = 0;

  constructor(protocol: number, doing: string) {
    this.#fd = socket(AF_NETLINK, SOCK_RAW, protocol, doing);
    const address = Buffer.alloc(12);
    address.writeUInt16LE(AF_NETLINK, 0);
    try {
      bind(this.#fd, address, doing);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** Sends the requests in one datagram; returns the payloads answered. Throws the first refusal. */
  send(requests: readonly NetlinkRequest[]): Buffer[] {
    const first = this.#sequence + 1;
    this.#sequence += requests.length;
    const datagram = Buffer.concat(requests.map((request, index) => encode(request, first + index)));
    const doing = requests.find((request) => request.flags & NLM_F_ACK)?.doing ?? 'talk to the kernel';
    send(this.#fd, datagram, doing);
    const awaited = new Map<number, NetlinkRequest>();
    requests.forEach((request, index) => {
      if (request.flags & NLM_F_ACK) awaited.set(first + index, request);
    });
    const replies: Buffer[] = [];
    const buffer = Buffer.alloc(RECEIVE_BUFFER);
    let refusal: KernelError | undefined;
    while (awaited.size > 0 && refusal === undefined) {
      for (const { type, sequence, payload } of messages(buffer, receive(this.#fd, buffer, doing))) {
        // Left over from an earlier send that was refused half-way.
        if (sequence < first) continue;
        if (type === NLMSG_ERROR) {
          const errno = -payload.readInt32LE(0);
          if (errno !== 0) {
            refusal ??= new KernelError(requests[sequence - first]?.doing ?? doing, errno);
          }
          awaited.delete(sequence);
        } else {
          replies.push(Buffer.from(payload));
        }
      }
    }
    if (refusal !== undefined) throw refusal;
    return replies;
  }

  /** All that the kernel lists in answer to a request with NLM_F_DUMP. */
  dump(request: NetlinkRequest): Buffer[] {
    this.#sequence += 1;
    send(this.#fd, encode(request, this.#sequence), request.doing);
    const replies: Buffer[] = [];
    const buffer = Buffer.alloc(RECEIVE_BUFFER);
    for (;;) {
      for (const { type, sequence, payload } of messages(buffer, receive(this.#fd, buffer, request.doing))) {
        if (sequence !== this.#sequence) continue;
        if (type === NLMSG_DONE) return replies;
        if (type === NLMSG_ERROR) throw new KernelError(request.doing, -payload.readInt32LE(0));
        replies.push(Buffer.from(payload));
      }
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
