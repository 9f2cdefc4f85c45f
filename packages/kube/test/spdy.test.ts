import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { encode, type Frame, FrameReader, MAX_DATA, SpdyError } from '../src/server/streams/spdy/frames.ts';
import {
  DICTIONARY,
  decodeHeaders,
  encodeHeaders,
  HeaderInflater,
  HeaderStorer,
} from '../src/server/streams/spdy/header-block.ts';
import { SpdySession } from '../src/server/streams/spdy/session.ts';
import type { SpdyStream } from '../src/server/streams/spdy/stream.ts';
import { eventually } from './support/eventually.ts';
import { headerCompressor, SpdyClient } from './support/spdy-client.ts';

const id = fc.integer({ min: 1, max: 0x7fff_ffff });
const word = fc.integer({ min: 0, max: 0x7fff_ffff });
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const fin = fc.boolean();
const anyFrame: fc.Arbitrary<Exclude<Frame, { type: 'other' }>> = fc.oneof(
  fc.record({ type: fc.constant('data' as const), stream: id, fin, data: bytes }),
  fc.record({ type: fc.constant('synStream' as const), stream: id, fin, unidirectional: fc.boolean(), block: bytes }),
  fc.record({ type: fc.constantFrom('synReply' as const, 'headers' as const), stream: id, fin, block: bytes }),
  fc.record({ type: fc.constant('rstStream' as const), stream: id, status: word }),
  fc.record({ type: fc.constant('ping' as const), id: fc.integer({ min: 0, max: 0xffff_ffff }) }),
  fc.record({ type: fc.constant('goAway' as const), lastStream: id, status: word }),
  fc.record({ type: fc.constant('windowUpdate' as const), stream: id, delta: word }),
);
const anyHeaders = fc.dictionary(fc.stringMatching(/^[a-z][a-z-]{0,20}$/), fc.stringMatching(/^[ -~]{0,60}$/), {
  maxKeys: 8,
  noNullPrototype: true,
});

function readAll(data: Buffer, cuts: readonly number[]): Frame[] {
  const reader = new FrameReader();
  const places = [0, ...cuts.map((cut) => cut % (data.length + 1)).sort((a, b) => a - b), data.length];
  return places.slice(1).flatMap((to, index) => [...reader.read(data.subarray(places[index], to))]);
}

describe('SPDY frames', () => {
  test('arrive as they were sent, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 6 }), fc.array(fc.nat(3_000), { maxLength: 8 }), (frames, cuts) => {
        // Spread: the generator makes objects without a prototype.
        const sent = frames.map((frame) => ({ ...frame }));
        assert.deepEqual(readAll(Buffer.concat(sent.map(encode)), cuts), sent);
      }),
    );
  });

  test('of nonsense are refused, never more than that', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (array) => {
        try {
          readAll(Buffer.from(array), []);
        } catch (error) {
          assert.ok(error instanceof SpdyError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });

  test('that are too large, too short or of another version are refused', () => {
    const large = Buffer.alloc(8);
    large.writeUIntBE(MAX_DATA + 1, 5, 3);
    for (const [frame, why] of [
      [large, /a frame of 1048577 bytes/],
      [Buffer.from('8003000100ffffff', 'hex'), /a frame of 16777215 bytes/],
      [Buffer.from('8003000600000000', 'hex'), /with only 0 bytes/],
      [Buffer.from('800200060000000400000001', 'hex'), /SPDY version 2, not 3/],
    ] as const)
      assert.throws(() => readAll(frame, []), why);
  });
});

describe('SPDY header blocks', () => {
  test('are told in terms of the dictionary that all implementations share', () => {
    // RFC 1950, Adler-32: the number by which zlib names a dictionary, as kubectl sends it.
    let [low, high] = [1, 0];
    for (const byte of DICTIONARY) {
      low = (low + byte) % 65_521;
      high = (high + low) % 65_521;
    }
    assert.deepEqual([DICTIONARY.length, high * 65_536 + low], [1423, 0xe3c6a7c2]);
  });

  test('are read one after the other, compressed or stored', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyHeaders, { maxLength: 5 }), async (list) => {
        const [compress, storer] = [headerCompressor(), new HeaderStorer()];
        const [compressed, stored] = [new HeaderInflater(), new HeaderInflater()];
        for (const headers of list) {
          const expected = new Map(Object.entries(headers));
          assert.deepEqual(await compressed.decode(await compress(headers)), expected);
          assert.deepEqual(await stored.decode(storer.encode(expected)), expected);
        }
        compressed.close();
        stored.close();
      }),
      { numRuns: 50 },
    );
  });

  test('of nonsense are refused, never more than that', async () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (array) => {
        try {
          decodeHeaders(Buffer.from(array));
        } catch (error) {
          assert.ok(error instanceof SpdyError, String(error));
        }
      }),
    );
    const bomb = deflateSync(Buffer.alloc(5_000_000), { dictionary: DICTIONARY });
    const whole = deflateSync(encodeHeaders(new Map([['a', 'b']])), { dictionary: DICTIONARY });
    for (const block of [bomb, Buffer.from('no zlib at all'), Buffer.alloc(0), Buffer.concat([whole, whole])]) {
      const inflater = new HeaderInflater();
      await assert.rejects(inflater.decode(block), SpdyError);
      inflater.close();
    }
  });
});

describe('a SPDY session', () => {
  let onStream: (stream: SpdyStream) => void = () => undefined;
  let serving: SpdySession | undefined;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    serving = new SpdySession(socket, (stream) => onStream(stream));
  });
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const client = async (): Promise<SpdyClient> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    sockets.add(socket);
    return new SpdyClient(socket);
  };
  const echo = (stream: SpdyStream): void => void stream.pipe(stream);

  test('answers streams, carries data both ways, and ends each way by itself', async () => {
    onStream = echo;
    const peer = await client();
    const [one, two] = [await peer.open({ streamtype: 'data' }), await peer.open({ streamtype: 'data' })];
    await peer.until((frame) => frame.type === 'synReply' && frame.stream === two, 'both are answered');
    const sent = Buffer.alloc(700_000, 'abc');
    for (let at = 0; at < sent.length; at += 32_768) peer.data(one, sent.subarray(at, at + 32_768));
    peer.data(two, 'second', true);
    await peer.ended(two);
    assert.equal(String(peer.received(two)), 'second');
    peer.data(one, '', true);
    await peer.ended(one);
    assert.ok(peer.received(one).equals(sent));
    peer.send({ type: 'ping', id: 7 });
    await peer.until((frame) => frame.type === 'ping' && frame.id === 7, 'a ping is answered');
    peer.socket.end();
    await serving?.closed;
  });

  test('a stream that its user refuses or the client resets is over, the others go on', async () => {
    let reset: SpdyStream | undefined;
    onStream = (stream) => {
      if (stream.headers.get('streamtype') === 'no') stream.destroy();
      else if (stream.headers.get('streamtype') === 'reset') reset = stream.resume();
      else echo(stream);
    };
    const peer = await client();
    const refused = await peer.open({ streamtype: 'no' });
    await peer.until((frame) => frame.type === 'rstStream' && frame.stream === refused, 'it is refused');
    const gone = await peer.open({ streamtype: 'reset' });
    await peer.until((frame) => frame.type === 'synReply' && frame.stream === gone, 'it is answered');
    peer.send({ type: 'rstStream', stream: gone, status: 5 });
    await eventually(() => reset?.destroyed, 'it is destroyed');
    peer.data(gone, 'late');
    const other = await peer.open({ streamtype: 'yes' });
    peer.data(other, 'still here', true);
    await peer.ended(other);
    peer.socket.destroy();
  });

  test('a client that breaks the protocol is told, and cut off', async () => {
    onStream = echo;
    for (const breach of [
      (peer: SpdyClient) => peer.data(9, 'of a stream that was never opened'),
      (peer: SpdyClient) => peer.open({}, 2),
      async (peer: SpdyClient) => {
        await peer.open({}, 5);
        await peer.open({}, 3);
      },
      (peer: SpdyClient) =>
        peer.send({ type: 'synStream', stream: 1, fin: false, unidirectional: false, block: Buffer.from('zlib?') }),
      (peer: SpdyClient) => void peer.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    ]) {
      const peer = await client();
      await breach(peer);
      await peer.until((frame) => frame.type === 'goAway' && frame.status === 1, `GOAWAY after ${breach}`);
      await eventually(() => peer.socket.closed, 'it is cut off');
      await serving?.closed;
    }
  });

  test('streams have a limit', async () => {
    const streams: SpdyStream[] = [];
    onStream = (stream) => streams.push(stream);
    const peer = await client();
    for (let count = 0; count < 1_001; count++) await peer.open({ n: `${count}` });
    const refusal = await peer.until((frame) => frame.type === 'rstStream', 'one is refused');
    assert.deepEqual(refusal, { type: 'rstStream', stream: 2_001, status: 3 });
    assert.equal(streams.length, 1_000);
    peer.socket.destroy();
    await serving?.closed;
    assert.ok(streams.every(({ destroyed }) => destroyed));
  });

  test('a stream that nobody reads stops its client, until it is read or gone', async () => {
    const streams: SpdyStream[] = [];
    onStream = (stream) => streams.push(stream);
    const peer = await client();
    const stream = await peer.open({});
    await eventually(() => streams.length === 1, 'it is there');
    const piece = Buffer.alloc(32_768);
    let sent = 0;
    // As much as the kernel's buffers and ours take.
    while (peer.socket.writableLength < 1_000_000 && sent < 100_000_000) {
      peer.data(stream, piece);
      sent += piece.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(sent < 100_000_000, 'the client was never stopped');
    assert.ok((streams[0]?.readableLength ?? 0) <= 512 * 1024, `${streams[0]?.readableLength} bytes are held`);
    let received = 0;
    streams[0]?.on('data', (chunk: Buffer) => (received += chunk.length));
    await eventually(() => received === sent, 'all of it arrives');
    peer.socket.destroy();
    await serving?.closed;
  });
});
