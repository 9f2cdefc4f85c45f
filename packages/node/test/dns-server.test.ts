// The DNS server on real sockets: both transports, what does not fit, what is not a question.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, describe, test } from 'node:test';
import { type DecodedPacket, decode, encode, type Packet, RECURSION_DESIRED, streamEncode } from 'dns-packet';
import fc from 'fast-check';
import { startDnsServer } from '../src/dns/server.ts';
import { fixedView } from './support/dns-view.ts';
import { log } from './support/log.ts';

const asked: string[] = [];
const server = await startDnsServer({
  address: '127.0.0.1',
  port: 0,
  zone: 'cluster.local',
  view: fixedView,
  log,
  external: async ({ name, type }) => {
    asked.push(`${type} ${name}`);
    if (name === 'broken.test') throw new Error('no resolver');
    return { rcode: 'NOERROR', answers: [{ type: 'A', name, ttl: 60, data: '192.0.2.1' }] };
  },
});
after(() => server.close());

const rcodeOf = (packet: DecodedPacket): number => (packet.flags ?? 0) & 15;
const query = (name: string, extra: Partial<Packet> = {}): Packet => ({
  type: 'query',
  id: 4711,
  flags: RECURSION_DESIRED,
  questions: [{ type: 'A', name }],
  ...extra,
});

async function udp(message: Buffer): Promise<Buffer> {
  const socket = createSocket('udp4');
  try {
    socket.send(message, server.port, '127.0.0.1');
    const [reply] = (await once(socket, 'message', { signal: AbortSignal.timeout(2_000) })) as [Buffer];
    return reply;
  } finally {
    socket.close();
  }
}

async function tcp(bytes: Buffer, replies: number): Promise<DecodedPacket[]> {
  const socket = connect(server.port, '127.0.0.1');
  socket.write(bytes);
  let data = Buffer.alloc(0);
  const packets: DecodedPacket[] = [];
  for await (const chunk of socket) {
    data = Buffer.concat([data, chunk as Buffer]);
    while (data.length >= 2 && data.length >= 2 + data.readUInt16BE(0)) {
      packets.push(decode(data.subarray(2, 2 + data.readUInt16BE(0))));
      data = data.subarray(2 + data.readUInt16BE(0));
    }
    if (packets.length === replies) break;
  }
  socket.destroy();
  return packets;
}

describe('over UDP', () => {
  test('answers with the question, the id and the authority', async () => {
    const reply = decode(await udp(encode(query('Cart.shop.svc.cluster.local'))));
    assert.equal(reply.id, 4711);
    assert.equal(reply.flag_aa, true);
    assert.equal(reply.flag_ra, true);
    assert.equal(reply.flag_rd, true);
    assert.equal(reply.questions?.[0]?.name, 'Cart.shop.svc.cluster.local');
    assert.deepEqual(
      reply.answers?.map((record) => 'data' in record && record.data),
      ['10.96.1.1'],
    );
  });

  test('says when an answer did not fit, and keeps to 512 bytes without EDNS', async () => {
    const raw = await udp(encode(query('many.shop.svc.cluster.local')));
    assert.ok(raw.length <= 512);
    const reply = decode(raw);
    assert.equal(reply.flag_tc, true);
    assert.deepEqual(reply.answers, []);
  });

  test('asks outside for other names, and tells when that fails', async () => {
    const reply = decode(await udp(encode(query('example.com'))));
    assert.deepEqual(
      reply.answers?.map((record) => 'data' in record && record.data),
      ['192.0.2.1'],
    );
    assert.equal(reply.flag_aa, false);
    assert.ok(asked.includes('A example.com'));
    const alias = decode(await udp(encode(query('outside.shop.svc.cluster.local'))));
    assert.deepEqual(
      alias.answers?.map((record) => record.type),
      ['CNAME', 'A'],
    );
    assert.equal(rcodeOf(decode(await udp(encode(query('broken.test'))))), 2);
  });

  test('turns away what is not a question', async () => {
    const good = encode(query('cart.shop.svc.cluster.local'));
    assert.equal(rcodeOf(decode(await udp(good.subarray(0, 20)))), 1, 'FORMERR for a cut message');
    const two = query('a.b', {
      questions: [
        { type: 'A', name: 'a.b' },
        { type: 'A', name: 'c.d' },
      ],
    });
    assert.equal(rcodeOf(decode(await udp(encode(two)))), 1, 'FORMERR for two questions');
    const notify = Buffer.from(good);
    notify.writeUInt16BE(4 << 11, 2);
    assert.equal(rcodeOf(decode(await udp(notify))), 4, 'NOTIMP for another opcode');
    const chaos = query('version.bind', { questions: [{ type: 'TXT', name: 'version.bind', class: 'CH' }] });
    assert.equal(rcodeOf(decode(await udp(encode(chaos)))), 5, 'REFUSED for another class');
    const response = Buffer.from(good);
    response.writeUInt16BE(0x8000, 2);
    await assert.rejects(udp(response), { name: 'AbortError' });
  });

  test('survives any bytes', async () => {
    const good = encode(query('cart.shop.svc.cluster.local'));
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      // With a header that promises a question.
      fc
        .uint8Array({ minLength: 1, maxLength: 300 })
        .map((rest) => new Uint8Array([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...rest])),
    );
    const socket = createSocket('udp4');
    await fc.assert(
      fc.asyncProperty(bytes, async (message) => {
        socket.send(message, server.port, '127.0.0.1');
        assert.equal(decode(await udp(good)).answers?.length, 1);
      }),
      { numRuns: 200 },
    );
    socket.close();
  });
});

describe('over TCP', () => {
  test('answers whole, several questions in order, however they are cut', async () => {
    const first = streamEncode(query('many.shop.svc.cluster.local', { id: 1 }));
    const second = streamEncode(query('cart.shop.svc.cluster.local', { id: 2 }));
    const [many, cart] = await tcp(Buffer.concat([first, second]), 2);
    assert.equal(many?.id, 1);
    assert.equal(many?.answers?.length, 200);
    assert.equal(cart?.id, 2);
  });

  test('ends a connection that announces too much', async () => {
    assert.deepEqual(await tcp(Buffer.from([0xff, 0xff, 1, 2, 3]), 1), []);
  });
});
