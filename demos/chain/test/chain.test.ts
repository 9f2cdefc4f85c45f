// The chain as a user of it sees it: three processes, called over HTTP.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Program, start as startModule } from '@varka/demo-kit/test/program.ts';

const start = (module: string, env?: Record<string, string>): Promise<Program> =>
  startModule(new URL(`../src/${module}`, import.meta.url), env);

async function listen(handler: RequestListener): Promise<{ server: Server; host: string }> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, host: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** A port of this machine where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('the whole chain', () => {
  let a: Program;
  let b: Program;
  let c: Program;
  before(async () => {
    c = await start('service-c.ts', { VERSION: 'v7', HOSTNAME: 'service-c-v7-5d9c7b-x7k2p' });
    b = await start('service-b.ts', { SERVICE_C_HOST: `127.0.0.1:${c.port}` });
    a = await start('service-a.ts', { SERVICE_B_HOST: `127.0.0.1:${b.port}` });
  });
  after(async () => {
    assert.deepEqual(await Promise.all([a.stop(), b.stop(), c.stop()]), [0, 0, 0]);
  });

  it('answers with every hop, the version, the end of the host name and a count', async () => {
    assert.deepEqual(await a.get('/'), {
      status: 200,
      type: 'text/plain; charset=utf-8',
      text: 'Service A <- Service B <- Service C | v7 | x7k2p | 1\n',
    });
    assert.equal((await a.get('/?any=query', { method: 'POST' })).text.trimEnd().split(' | ').at(-1), '2');
  });

  it('says UP on /health, and 404 where there is nothing', async () => {
    for (const program of [a, b, c]) {
      const health = await program.get('/health');
      assert.deepEqual([health.status, health.text], [200, 'UP']);
    }
    for (const program of [a, b]) {
      const missing = await program.get('//health');
      assert.deepEqual([missing.status, missing.text], [404, 'Page not found']);
    }
    assert.equal((await c.get('/nothing')).status, 404);
    assert.equal((await c.get('/crash', { method: 'POST' })).status, 404);
  });

  it('shows a crashed service-c as text with status 200, stays UP, and does not count while crashed', async () => {
    const before = Number((await c.get('/')).text.split(' | ').at(-1));
    assert.deepEqual((await c.get('/crash')).text, "Crash mode is activated. Call '/repair' to deactivate.");
    const direct = await c.get('/');
    assert.deepEqual([direct.status, direct.text], [500, 'Error 500 (Hostname: x7k2p)']);
    assert.equal((await c.get('/health')).text, 'UP');
    const through = await a.get('/');
    assert.deepEqual(
      [through.status, through.text],
      [200, 'Service A <- Service B <- Error: Error 500 (Hostname: x7k2p)\n'],
    );
    assert.equal((await c.get('/repair')).text, 'Crash mode is deactivated.');
    assert.equal((await c.get('/')).text, `Service C | v7 | x7k2p | ${before + 1}`);
  });
});

describe('forwarded headers', () => {
  it('are the tracing ones, however they are written, and no others', async () => {
    for (const [module, variable] of [
      ['service-a.ts', 'SERVICE_B_HOST'],
      ['service-b.ts', 'SERVICE_C_HOST'],
    ] as const) {
      const seen: IncomingHttpHeaders[] = [];
      const next = await listen((request, response) => {
        seen.push(request.headers);
        response.end('next');
      });
      const program = await start(module, { [variable]: next.host });
      const tracing = {
        'X-Request-Id': 'r1',
        'X-B3-TraceId': 't1',
        'x-b3-spanid': 's1',
        'X-B3-ParentSpanId': 'p1',
        'x-B3-sampled': '1',
        'X-B3-FLAGS': '0',
      };
      await program.get('/', { headers: { ...tracing, 'x-dev-user': 'me', authorization: 'secret' } });
      const got = seen[0]!;
      for (const [name, value] of Object.entries(tracing)) assert.equal(got[name.toLowerCase()], value, name);
      assert.equal(got['x-dev-user'], undefined);
      assert.equal(got['authorization'], undefined);
      assert.equal(got.host, next.host);
      await program.stop();
      next.server.close();
    }
  });
});

describe('when the next service does not answer', () => {
  it('service-a and service-b say so with status 200', async () => {
    const port = await closedPort();
    const a = await start('service-a.ts', { SERVICE_B_HOST: `127.0.0.1:${port}` });
    const b = await start('service-b.ts', { SERVICE_C_HOST: `127.0.0.1:${port}` });
    assert.deepEqual((await a.get('/')).text, 'Service A <- Service B | All connection attempts failed\n');
    const refused = await b.get('/');
    assert.equal(refused.status, 200);
    assert.equal(
      refused.text,
      `Service B <- error sending request for url (http://127.0.0.1:${port}/): error trying to connect: tcp connect error: Connection refused (os error 111)`,
    );
    await Promise.all([a.stop(), b.stop()]);
  });

  it('service-b gives the status text when an error has no body', async () => {
    const next = await listen((_, response) => response.writeHead(503).end());
    const b = await start('service-b.ts', { SERVICE_C_HOST: next.host });
    assert.equal((await b.get('/')).text, 'Service B <- Error: Service Unavailable');
    await b.stop();
    next.server.close();
  });

  it('a connection closed without an answer is told as such, and one closed while idle is not noticed', async () => {
    let requests = 0;
    const next = await listen((_, response) => {
      requests += 1;
      // The first is answered and then cut off behind the caller's back; the third is cut off without an answer.
      if (requests === 1) response.end('one', () => response.socket?.destroy());
      else if (requests === 2) response.end('two');
      else response.socket?.destroy();
    });
    const a = await start('service-a.ts', { SERVICE_B_HOST: next.host });
    assert.equal((await a.get('/')).text, 'Service A <- one\n');
    assert.equal((await a.get('/')).text, 'Service A <- two\n');
    assert.equal((await a.get('/')).text, 'Service A <- Service B | Server disconnected without sending a response.\n');
    await a.stop();
    next.server.close();
  });

  it('service-a waits 5 s of silence and no longer', async () => {
    const next = await listen(() => undefined);
    const a = await start('service-a.ts', { SERVICE_B_HOST: next.host });
    const begin = performance.now();
    assert.equal((await a.get('/')).text, 'Service A <- Service B | timed out after 5 s\n');
    const took = performance.now() - begin;
    assert.ok(took >= 4900 && took < 7000, `${took} ms`);
    await a.stop();
    next.server.closeAllConnections();
    next.server.close();
  });
});

describe('a service as a process', () => {
  it('finishes the request it is at when SIGTERM comes, then exits 0', async () => {
    let release = (): void => undefined;
    const next = await listen((_, response) => {
      release = () => response.end('late');
      next.server.emit('asked');
    });
    const asked = once(next.server, 'asked');
    const b = await start('service-b.ts', { SERVICE_C_HOST: next.host });
    const reply = b.get('/');
    await asked;
    const stopped = b.stop();
    release();
    assert.equal((await reply).text, 'Service B <- late');
    assert.equal(await stopped, 0);
    next.server.close();
  });

  it('keeps connections open for its callers', async () => {
    const c = await start('service-c.ts', { HOSTNAME: 'x' });
    const response = await fetch(`http://127.0.0.1:${c.port}/`);
    await response.text();
    assert.equal(response.headers.get('connection'), 'keep-alive');
    await c.stop();
  });

  it('refuses a PORT that is no port, and one that is taken, in one clear line', async () => {
    const program = fileURLToPath(new URL('../src/service-c.ts', import.meta.url));
    const wrong = spawnSync(process.execPath, [program], { env: { PORT: '80a' }, encoding: 'utf8' });
    assert.equal(wrong.status, 1);
    assert.equal(wrong.stderr, 'PORT is "80a"; it must be a number from 0 to 65535\n');
    const c = await start('service-c.ts');
    const taken = spawnSync(process.execPath, [program], { env: { PORT: String(c.port) }, encoding: 'utf8' });
    assert.equal(taken.status, 1);
    assert.match(taken.stderr, /^port \d+ is taken by another program; set PORT to a free one\n$/);
    await c.stop();
  });
});
