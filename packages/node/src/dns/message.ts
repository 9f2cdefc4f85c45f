// DNS messages off and onto the wire; what is malformed or not for us is turned away here.
import { type Answer, decode, encode } from 'dns-packet';

export type Rcode = 'NOERROR' | 'FORMERR' | 'SERVFAIL' | 'NXDOMAIN' | 'NOTIMP' | 'REFUSED';

const RCODES: Readonly<Record<Rcode, number>> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
};
const HEADER_LENGTH = 12;
const RESPONSE = 0x8000;
const AUTHORITATIVE = 0x0400;
const TRUNCATED = 0x0200;
const RECURSION_DESIRED = 0x0100;
const RECURSION_AVAILABLE = 0x0080;
const OPCODE = 0x7800;
/** What fits without EDNS (RFC 1035), and the most we send with it in one datagram. */
const MIN_UDP_SIZE = 512;
const MAX_UDP_SIZE = 1_232;

export interface Query {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly recursionDesired: boolean;
  /** The asker's EDNS size, 512 without. */
  readonly udpSize: number;
  readonly edns: boolean;
}

export type ReadQuery =
  | { readonly kind: 'query'; readonly query: Query }
  | { readonly kind: 'refuse'; readonly id: number; readonly rcode: Rcode }
  /** Not even a header, or itself a response: answering could go round for ever. */
  | { readonly kind: 'drop' };

export function readQuery(message: Buffer): ReadQuery {
  if (message.length < HEADER_LENGTH) return { kind: 'drop' };
  const id = message.readUInt16BE(0);
  const flags = message.readUInt16BE(2);
  if (flags & RESPONSE) return { kind: 'drop' };
  if (flags & OPCODE) return { kind: 'refuse', id, rcode: 'NOTIMP' };
  let packet: ReturnType<typeof decode>;
  try {
    packet = decode(message);
  } catch {
    // Whatever the decoder stumbled on, the message is not one.
    return { kind: 'refuse', id, rcode: 'FORMERR' };
  }
  const [question, ...more] = packet.questions ?? [];
  if (question === undefined || more.length > 0) return { kind: 'refuse', id, rcode: 'FORMERR' };
  if (question.class !== undefined && question.class !== 'IN') return { kind: 'refuse', id, rcode: 'REFUSED' };
  // Labels that hold dots or other bytes decode to text that would not encode back to the same question.
  if (!/^(\.|[\w*-]{1,63}(\.[\w*-]{1,63})*)$/.test(question.name)) return { kind: 'refuse', id, rcode: 'REFUSED' };
  const edns = packet.additionals?.find((record) => record.type === 'OPT');
  const size = edns?.type === 'OPT' ? edns.udpPayloadSize : MIN_UDP_SIZE;
  return {
    kind: 'query',
    query: {
      id,
      name: question.name,
      type: question.type,
      recursionDesired: (flags & RECURSION_DESIRED) !== 0,
      udpSize: Math.min(Math.max(size, MIN_UDP_SIZE), MAX_UDP_SIZE),
      edns: edns !== undefined,
    },
  };
}

export interface Reply {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly answers: readonly Answer[];
  readonly additionals: readonly Answer[];
  readonly authorities: readonly Answer[];
}

/** `limit`: beyond that many bytes the asker is sent to TCP (RFC 1035: the TC bit). */
export function encodeReply(query: Query, reply: Reply, limit?: number): Buffer {
  const flags =
    (reply.authoritative ? AUTHORITATIVE : 0) |
    (query.recursionDesired ? RECURSION_DESIRED : 0) |
    RECURSION_AVAILABLE |
    RCODES[reply.rcode];
  const edns: Answer[] = query.edns
    ? [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize: MAX_UDP_SIZE,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        },
      ]
    : [];
  const packet = (parts: Pick<Reply, 'answers' | 'additionals' | 'authorities'>, extra = 0): Buffer =>
    encode({
      type: 'response',
      id: query.id,
      flags: flags | extra,
      questions: [{ name: query.name, type: query.type as 'A', class: 'IN' }],
      answers: [...parts.answers],
      authorities: [...parts.authorities],
      additionals: [...parts.additionals, ...edns],
    });
  const whole = packet(reply);
  if (limit === undefined || whole.length <= limit) return whole;
  const none: Answer[] = [];
  const withoutExtras = packet({ ...reply, additionals: none });
  if (withoutExtras.length <= limit) return withoutExtras;
  return packet({ answers: none, additionals: none, authorities: none }, TRUNCATED);
}

/** A header alone, for questions that cannot be repeated. */
export function bareReply(id: number, rcode: Rcode): Buffer {
  const header = Buffer.alloc(HEADER_LENGTH);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(RESPONSE | RCODES[rcode], 2);
  return header;
}
