// Properties: how bytes are cut into packets changes nothing, and no bytes at all bring the proxy down.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyScanner } from '../src/http/body-scanner.ts';
import { HeadBuffer } from '../src/http/head-buffer.ts';
import { FAULTY, INCOMPLETE } from '../src/http/message-head.ts';
import { normalizePath } from '../src/http/path-normalizer.ts';
import { RequestHead } from '../src/http/request-head.ts';
import { clusterOf, OK, TestProxy, Upstream } from './http-harness.ts';

const LIMITS = { maxBytes: 400, maxFields: 8 };

/** Pieces of requests, right and wrong, that make interesting wholes; none begins a chunk so large that it never ends. */
const fragment = fc.constantFrom(
  'GET / HTTP/1.1\r\n',
  'POST /a%2e/../b HTTP/1.1\r\n',
  'GET http://x/ HTTP/1.1\r\n',
  'Host: a\r\n',
  'Host: b\r\n',
  'Content-Length: 3\r\n',
  'Content-Length: x\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Connection: close\r\n',
  'Connection: x-y, upgrade\r\n',
  'Upgrade: websocket\r\n',
  `X-Long: ${'y'.repeat(150)}\r\n`,
  'no line\r\n',
  ' folded\r\n',
  'X: \0\r\n',
  'X: a\n',
  '\r\n',
  '\n',
  '\r',
  'xyz',
  '3\r\nabc\r\n0\r\n\r\n',
  ': v\r\n',
  'X : v\r\n',
  'HTTP/1.1 200 OK\r\n',
); // prettier-ignore

const message = fc.oneof(
  { weight: 4, arbitrary: fc.array(fragment, { maxLength: 14 }).map((parts) => parts.join('')) },
  {
    weight: 2,
    arbitrary: fc
      .array(fragment, { maxLength: 8 })
      .map((parts) => `GET / HTTP/1.1\r\nHost: a\r\n${parts.join('')}\r\n`),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes).toString('latin1')) },
);

const cuts = fc.array(fc.nat({ max: 700 }), { maxLength: 12 });

function pieces(bytes: Buffer, at: readonly number[]): Buffer[] {
  const points = [...new Set(at.map((cut) => Math.min(cut, bytes.length)))].sort((a, b) => a - b);
  const ends = [...points, bytes.length];
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

function summary(head: RequestHead, outcome: number): object {
  if (outcome === INCOMPLETE) return { outcome };
  if (outcome === FAULTY) return { outcome, fault: head.fault };
  const { method, path, authority, framing, contentLength, close, upgrade, count } = head;
  return { outcome, method, path, authority, framing, contentLength, close, upgrade, count, text: head.text };
}

function readWhole(bytes: Buffer): object {
  const head = new RequestHead(LIMITS);
  return summary(head, bytes.length === 0 ? INCOMPLETE : head.read(bytes, 0, bytes.length));
}

function readPieces(parts: readonly Buffer[]): object {
  const head = new RequestHead(LIMITS);
  const buffer = new HeadBuffer();
  let outcome: number = INCOMPLETE;
  for (const part of parts) {
    if (part.length === 0) continue;
    buffer.append(part, 0, part.length);
    outcome = head.read(buffer.bytes, 0, buffer.length);
    if (outcome !== INCOMPLETE) break;
  }
  return summary(head, outcome);
}

test('a head means the same however it is cut', () => {
  fc.assert(
    fc.property(message, cuts, (text, at) => {
      const bytes = Buffer.from(text, 'latin1');
      assert.deepEqual(readPieces(pieces(bytes, at)), readWhole(bytes));
    }),
    { numRuns: 3000 },
  );
});

const chunkedBody = fc.array(fc.tuple(fc.string({ minLength: 1, maxLength: 40 }), fc.constantFrom('', ';a=b', ' ;x')), {
  maxLength: 6,
});

test('a chunked body ends at the same byte however it is cut, and keeps its content', () => {
  fc.assert(
    fc.property(chunkedBody, fc.boolean(), cuts, (chunks, unframe, at) => {
      const data = chunks.map(([text]) => Buffer.from(text, 'utf8'));
      const framed = data.map(
        (bytes, i) => `${bytes.length.toString(16)}${chunks[i]![1]}\r\n${bytes.toString('latin1')}\r\n`,
      );
      const bytes = Buffer.from(`${framed.join('')}0\r\nx-t: 1\r\n\r\nNEXT`, 'latin1');
      const scanner = new BodyScanner();
      scanner.begin('chunked', 0, unframe);
      let passed = '';
      let taken = 0;
      for (const part of pieces(bytes, at)) {
        if (scanner.done) break;
        const end = scanner.scan(part, 0, part.length);
        taken += end;
        const ranges = scanner.pieces ?? [0, end];
        for (let i = 0; i < ranges.length; i += 2) passed += part.toString('latin1', ranges[i], ranges[i + 1]);
      }
      assert.equal(scanner.fault, undefined);
      assert.ok(scanner.done);
      assert.equal(taken, bytes.length - 4);
      assert.equal(
        scanner.received,
        data.reduce((sum, piece) => sum + piece.length, 0),
      );
      const content = data.map((piece) => piece.toString('latin1'));
      const plain = content.map((text, i) => `${data[i]!.length.toString(16)}\r\n${text}\r\n`).join('');
      assert.equal(passed, unframe ? content.join('') : `${plain}0\r\nx-t: 1\r\n\r\n`);
    }),
    { numRuns: 2000 },
  );
});

test('garbage for a chunked body is a fault or waits for more, and never loops or throws', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        message.map((text) => Buffer.from(text, 'latin1')),
      ),
      (bytes) => {
        const scanner = new BodyScanner();
        scanner.begin('chunked', 0);
        const end = scanner.scan(bytes, 0, bytes.length);
        assert.ok(end <= bytes.length);
        assert.ok(scanner.done || scanner.fault !== undefined || end === bytes.length);
      },
    ),
    { numRuns: 2000 },
  );
});

test('a normalized path has no dot segments and stays as it is', () => {
  const segment = fc.constantFrom('a', '.', '..', '%2e', '%2E.', '', 'b.c', '\\', '%2f', '...');
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 8 }), fc.constantFrom('', '?x=/../y'), (segments, query) => {
      const once = normalizePath(`/${segments.join('/')}${query}`)!;
      const path = once.split('?')[0]!;
      assert.ok(path.startsWith('/'));
      assert.ok(!/(^|\/)\.{1,2}(\/|$)/.test(path), path);
      assert.equal(normalizePath(once), once);
    }),
  );
});

test('whatever a client sends, in whatever packets, it is answered alike and the proxy lives', async (t) => {
  const upstream = await Upstream.answering(t, () => OK);
  const proxy = await TestProxy.listen(t, {
    clusters: [clusterOf(upstream)],
    config: { maxRequestHeaderBytes: LIMITS.maxBytes, maxRequestHeaders: LIMITS.maxFields, accessLogs: [] },
  });
  const outcome = async (parts: readonly Buffer[]): Promise<string[]> => {
    const client = await proxy.client(t);
    for (const part of parts) {
      client.write(part);
      if (parts.length > 1) await new Promise((resolve) => setImmediate(resolve));
    }
    // A request of our own at the end shows where the proxy thinks the messages before it have ended.
    client.write('\r\n\r\n');
    await client.until(() => client.ended || client.closed || /HTTP\/1\.1 [1-5]/.test(client.text), 'an answer');
    const answers = [...client.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]!);
    client.socket.destroy();
    return answers.slice(0, 1);
  };
  await fc.assert(
    fc.asyncProperty(
      message.filter((text) => text.includes('\n')),
      cuts,
      async (text, at) => {
        const bytes = Buffer.from(`${text}\r\n\r\n\r\n\r\n`, 'latin1');
        assert.deepEqual(await outcome(pieces(bytes, at).filter((part) => part.length > 0)), await outcome([bytes]));
      },
    ),
    { numRuns: 150 },
  );
  const client = await proxy.client(t);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await client.message()).body, 'ok');
});

test('whatever an upstream answers, the client gets an answer or an end, and the proxy lives', async (t) => {
  const answer = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc
      .array(
        fc.constantFrom(
          'HTTP/1.1 200 OK\r\n',
          'HTTP/1.1 100 Continue\r\n\r\n',
          'Content-Length: 2\r\n',
          'Transfer-Encoding: chunked\r\n',
          'Connection: close\r\n',
          '\r\n',
          'ok',
          '2\r\nok\r\n',
          '0\r\n\r\n',
          'X: \0\r\n',
          'HTTP/1.1 204 No Content\r\n',
        ), // prettier-ignore
        { maxLength: 8 },
      )
      .map((parts) => Buffer.from(parts.join(''), 'latin1')),
  );
  let next: Buffer = Buffer.alloc(0);
  const upstream = await Upstream.listen(t, async (wire) => {
    await wire.until(() => wire.text.includes('\r\n\r\n') || wire.ended, 'a request');
    wire.socket.end(next);
  });
  const cluster = clusterOf(upstream);
  const proxy = await TestProxy.listen(t, { clusters: [cluster], config: { accessLogs: [] } });
  await fc.assert(
    fc.asyncProperty(answer, async (bytes) => {
      next = bytes;
      const client = await proxy.client(t);
      client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      const text = await client.end();
      client.socket.destroy();
      assert.match(text, /^HTTP\/1\.1 \d\d\d /);
    }),
    { numRuns: 150 },
  );
  assert.equal(cluster.hosts[0]!.active, 0);
});
