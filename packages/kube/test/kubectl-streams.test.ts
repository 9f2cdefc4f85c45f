// exec, attach, cp and port-forward as every kubectl on this machine speaks them: SPDY before 1.30, WebSocket since.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { writeKubeconfig } from '../src/credentials/kubeconfig-file.ts';
import { type ApiFixture, startApi } from './support/api-fixture.ts';
import { eventually } from './support/eventually.ts';
import { type LocalPods, localPods } from './support/local-pods.ts';

/** KUBECTL, or everything on the PATH and beside it that is a kubectl of its own version. */
function kubectls(): string[] {
  const named = process.env['KUBECTL'];
  if (named !== undefined) return [named];
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const versioned = [...folders, '/usr/lib/google-cloud-sdk/bin'].flatMap((folder) =>
    Array.from({ length: 20 }, (_, index) => join(folder, `kubectl.1.${25 + index}`)),
  );
  const found = [...new Set(versioned)].filter((path) => existsSync(path));
  return found.length > 0
    ? found
    : folders
        .map((folder) => join(folder, 'kubectl'))
        .filter((path) => existsSync(path))
        .slice(0, 1);
}

const FOUND = kubectls();
/** In a quick run the oldest and the newest: one speaks SPDY, the other WebSocket. */
const isThorough = process.env['CI'] === 'true' || process.env['VARKA_REQUIRE_PEERS'] === '1';
const KUBECTLS = isThorough ? FOUND : FOUND.filter((_, index) => index === 0 || index === FOUND.length - 1);
const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

interface Result {
  readonly code: number | null;
  readonly out: Buffer;
  readonly err: string;
}

async function result(child: ChildProcess, input?: Buffer | string): Promise<Result> {
  const out: Buffer[] = [];
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => {
    err += chunk;
  });
  child.stdin?.on('error', () => undefined);
  if (input !== undefined) child.stdin?.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out: Buffer.concat(out), err };
}

describe('streams with kubectl', {
  skip: KUBECTLS.length === 0 ? 'no kubectl: set KUBECTL or put one on the PATH' : false,
}, () => {
  let api: ApiFixture;
  let pods: LocalPods;
  let environment: NodeJS.ProcessEnv = {};
  let echo: Server;
  let port = 0;

  before(async () => {
    pods = localPods();
    api = await startApi({ podBackend: pods });
    const path = join(api.folder, 'kubeconfig');
    await writeKubeconfig(path, {
      server: `https://127.0.0.1:${api.port}`,
      name: 'test',
      credentials: api.credentials,
      namespace: 'default',
    });
    environment = { PATH: process.env['PATH'], KUBECONFIG: path, HOME: api.folder };
    for (const [name, containers] of [
      ['web', ['web']],
      ['pair', ['web', 'side']],
    ] as const) {
      const spec = { containers: containers.map((container) => ({ name: container, image: 'x', stdin: true })) };
      await api.call('POST', '/api/v1/namespaces/default/pods', { body: { metadata: { name }, spec } });
      await api.call('PATCH', `/api/v1/namespaces/default/pods/${name}/status`, {
        body: { status: { phase: 'Running' } },
        type: 'application/merge-patch+json',
      });
    }
    // Gives back what it is sent, and ends when the client has ended.
    echo = createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => undefined).pipe(socket));
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    port = (echo.address() as AddressInfo).port;
  });
  after(async () => {
    echo.close();
    await api.close();
  });

  for (const kubectl of KUBECTLS) {
    const start = (...args: string[]): ChildProcess => spawn(kubectl, args, { env: environment, timeout: 30_000 });
    const run = (args: readonly string[], input: Buffer | string = ''): Promise<Result> =>
      result(start(...args), input);

    describe(kubectl.split('/').at(-1) ?? '', { concurrency: true }, () => {
      test('exec: output, error output, exit code, input to its end', async () => {
        const both = await run(['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
        assert.deepEqual([both.code, String(both.out)], [3, 'out\n']);
        assert.match(both.err, /^err\ncommand terminated with exit code 3\n$/);
        const data = randomBytes(3_000_000);
        const through = await run(['exec', '-i', 'web', '--', 'cat'], data);
        assert.deepEqual([through.code, sha256(through.out)], [0, sha256(data)]);
        const unread = await run(['exec', '-i', 'web', '--', 'true'], data);
        assert.equal(unread.code, 0);
      });

      test('exec: what cannot be started, and which container', async () => {
        const missing = await run(['exec', 'web', '--', 'no-such-program']);
        assert.match(missing.err, /error executing command in container: .*no-such-program/);
        assert.equal(missing.code, 1);
        const container = await run(['exec', 'pair', '-c', 'nobody', '--', 'true']);
        assert.match(container.err, /container nobody is not valid for pod pair/);
        assert.equal((await run(['exec', 'pair', '-c', 'side', '--', 'true'])).code, 0);
        assert.match((await run(['exec', 'none', '--', 'true'])).err, /pods "none" not found/);
      });

      test('exec: a reader that is slow is waited for', async () => {
        const child = start('exec', 'web', '--', 'sh', '-c', 'head -c 20000000 /dev/zero; echo done >&2');
        child.stdout?.pause();
        await once(child.stdout as NodeJS.ReadableStream, 'readable');
        const { code, out, err } = await result(child);
        assert.deepEqual([code, out.length, err], [0, 20_000_000, 'done\n']);
      });

      test('exec: the command ends when kubectl does', async () => {
        const child = start('exec', 'web', '--', 'sh', '-c', 'echo $$; exec sleep 1000');
        const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
        const pid = Number(line);
        assert.ok(pods.running.has(pid));
        child.kill('SIGKILL');
        await eventually(() => !pods.running.has(pid), 'the command has ended');
      });

      test('attach: to a program that answers', async () => {
        const child = start('attach', '-i', 'web');
        const all = result(child);
        child.stdin?.write('one\n');
        const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
        assert.equal(String(line), 'echo one\n');
        child.stdin?.end('two\n');
        assert.equal((await all).code, 0);
      });

      test('cp: there and back', async () => {
        const [here, there, back] = ['here', 'there', 'back'].map((name) =>
          join(api.folder, `${kubectl.split('/').at(-1)}-${name}`),
        );
        assert.ok(here !== undefined && there !== undefined && back !== undefined);
        const data = randomBytes(1_000_000);
        writeFileSync(here, data);
        assert.equal((await run(['cp', here, `web:${there}`])).code, 0);
        assert.equal(sha256(readFileSync(there)), sha256(data));
        assert.equal((await run(['cp', `web:${there}`, back])).code, 0);
        assert.equal(sha256(readFileSync(back)), sha256(data));
      });

      test('port-forward: several ports, side by side, ends and failures', async () => {
        const child = start('port-forward', 'pod/web', `:${port}`, ':1');
        let text = '';
        let err = '';
        child.stdout?.on('data', (chunk: Buffer) => (text += chunk));
        child.stderr?.on('data', (chunk: Buffer) => (err += chunk));
        const portTo = (target: number): Promise<number> =>
          eventually(() => {
            const found = new RegExp(`127\\.0\\.0\\.1:(\\d+) -> ${target}\\n`).exec(text)?.[1];
            return found === undefined ? undefined : Number(found);
          }, `kubectl forwards to ${target}`);
        const [local, closed] = [await portTo(port), await portTo(1)];
        const data = randomBytes(5_000_000);
        const echoed = async (sent: Buffer): Promise<string> => {
          const socket = connect({ host: '127.0.0.1', port: local, allowHalfOpen: true });
          socket.end(sent);
          const chunks: Buffer[] = [];
          for await (const chunk of socket) chunks.push(chunk);
          return sha256(Buffer.concat(chunks));
        };
        assert.equal(await echoed(data), sha256(data));
        const several = [1, 2, 3, 4].map((n) => data.subarray(0, n * 300_000));
        assert.deepEqual(await Promise.all(several.map(echoed)), several.map(sha256));
        // One that nobody reads does not hold up the others.
        const idle = connect(local, '127.0.0.1').on('error', () => undefined);
        idle.pause();
        idle.write(data.subarray(0, 100_000));
        assert.equal(await echoed(data.subarray(0, 1000)), sha256(data.subarray(0, 1000)));
        idle.destroy();
        const refused = connect(closed, '127.0.0.1').on('error', () => undefined);
        refused.resume();
        await once(refused, 'close');
        const why =
          /an error occurred forwarding \d+ -> 1: error forwarding port 1 to pod web, uid \S+: failed to connect to localhost:1 inside the pod: dial tcp4 127\.0\.0\.1:1: connect: connection refused/;
        await eventually(() => why.test(err), 'kubectl tells why');
        child.kill();
        await once(child, 'close');
      });
    });
  }
});
