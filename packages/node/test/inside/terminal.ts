// What a program's input and its terminal promise. Runs inside the cluster's network namespace.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { after, test } from 'node:test';
import type { PodProcess, SpawnOptions } from '../../src/sandbox/pod-network.ts';
import { killSession } from '../../src/sandbox/processes.ts';
import { createNetwork } from '../support/cluster.ts';

const directory = mkdtempSync(join(tmpdir(), 'varka-terminal-'));
const network = createNetwork();
const pod = network.createPod({
  hostname: 'one',
  directory,
  nameserver: '10.96.0.10',
  searches: ['cluster.local'],
  capture: false,
});
after(async () => {
  await network.close();
  rmSync(directory, { recursive: true, force: true });
});

const size = { columns: 80, rows: 24 };
const start = (argv: readonly string[], options: Partial<SpawnOptions>): PodProcess & { readonly stdin: Writable } => {
  const started = pod.spawn(argv, { env: { PATH: process.env['PATH'] ?? '', PS1: '> ' }, cwd: '/', ...options });
  assert.ok(started.stdin !== undefined);
  return { ...started, stdin: started.stdin };
};
const openFiles = (): number => readdirSync('/proc/self/fd').length;

/** Everything printed so far; `until` resolves when it matches, and takes it off. */
function reader({ stdout }: PodProcess) {
  let text = '';
  let wake = (): void => undefined;
  stdout.on('data', (chunk: Buffer) => {
    text += chunk;
    wake();
  });
  stdout.on('close', () => wake());
  return async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = pattern.exec(text);
      if (found !== null) {
        text = text.slice(found.index + found[0].length);
        return found[1] ?? found[0];
      }
      if (stdout.destroyed) throw new Error(`${pattern} did not come, but ${JSON.stringify(text)}`);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
}

test('input arrives whole, and so does its end', async () => {
  const { child, stdin, stdout } = start(['sha256sum'], { stdin: 'pipe' });
  const data = randomBytes(3_000_000);
  stdin.end(data);
  let text = '';
  for await (const chunk of stdout) text += chunk;
  assert.equal(text.split(' ')[0], createHash('sha256').update(data).digest('hex'));
  if (child.exitCode === null) await once(child, 'exit');
});

test('a shell on a terminal knows its size and controls its jobs', async () => {
  const shell = start(['sh'], { terminal: size });
  const until = reader(shell);
  shell.stdin.write('tty; stty size; echo $((6*7)); echo oops >&2\n');
  await until(/\/dev\/pts\/\d+/);
  await until(/24 80/);
  await until(/42/);
  await until(/oops/);
  shell.resize?.({ columns: 132, rows: 43 });
  shell.stdin.write('stty size\n');
  await until(/43 132/);
  shell.stdin.write('sleep 1000 & jobs; kill -9 %1; wait; sh -c \'echo "fore$((1+1))ground"; exec sleep 1000\'\n');
  await until(/\[1\].*Running/);
  await until(/fore2ground/);
  // The shell reads on only when its child has died of what the terminal makes of ^C.
  shell.stdin.write('\u0003');
  await until(/\^C/);
  await until(/> /);
  shell.stdin.write('echo "st$((40+2))ll here"\n');
  await until(/st42ll here/);
  shell.stdin.write('exit 7\n');
  const [code] = await once(shell.child, 'exit');
  assert.equal(code, 7);
  if (!shell.stdout.readableEnded) await once(shell.stdout, 'end');
});

test('a terminal outlives a moment in which no program has it open', async () => {
  const script = 'exec 3>&1; t=$(tty); exec <&- >&- 2>&- 3>&-; exec <>"$t" >&0 2>&0; echo back';
  const { stdout } = start(['sh', '-c', script], { terminal: size });
  let text = '';
  for await (const chunk of stdout) text += chunk;
  assert.equal(text, 'back\r\n');
});

test('a terminal that takes no more holds nobody up, and lets go of its descriptors', async () => {
  const before = openFiles();
  const stuck = start(['sh', '-c', 'stty raw; echo ready; sleep 1000'], { terminal: size });
  await reader(stuck)(/ready/);
  stuck.stdin.write(Buffer.alloc(1_000_000, 'x'));
  // This very process goes on.
  assert.equal(await new Promise((resolve) => setImmediate(() => resolve('alive'))), 'alive');
  const gone = once(stuck.child, 'exit');
  killSession(stuck.child.pid as number);
  await gone;
  if (!stuck.stdout.closed) await once(stuck.stdout, 'close');
  assert.equal(openFiles(), before);
});

test('what cannot be started leaves no descriptors open', async () => {
  const before = openFiles();
  for (const options of [{ stdin: 'pipe' }, { terminal: size }] as const) {
    const { child, stdout, stderr, stdin } = start(['/no/such/program'], { ...options, cwd: '/no/such/directory' });
    await once(child, 'error');
    for (const stream of [stdout, stderr, stdin]) stream.destroy();
    if (!stdout.closed) await once(stdout, 'close');
  }
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(openFiles(), before);
});
