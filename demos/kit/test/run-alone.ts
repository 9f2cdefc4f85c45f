// Starts a demo as `npm run demo:…` does, and checks that all of it ends.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

async function taken(port: number): Promise<boolean> {
  const server = createServer().listen(port);
  try {
    await once(server, 'listening');
    return false;
  } catch {
    return true;
  } finally {
    server.close();
  }
}

/** A reason to skip the test, or false: the demo's ports are fixed, and this machine may use them for something else. */
export async function portsTaken(ports: readonly number[]): Promise<string | false> {
  const busy: number[] = [];
  for (const port of ports) if (await taken(port)) busy.push(port);
  return busy.length === 0 ? false : `ports taken on this machine: ${busy.join(', ')}`;
}

/** Runs `look` once every port is listened on, as the programs' output says; then SIGTERM must end everything. */
export async function withDemo(
  module: URL,
  ports: readonly number[],
  look: (output: string) => Promise<void>,
): Promise<void> {
  const child = spawn(process.execPath, [fileURLToPath(module)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let output = '';
  const started = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if ((output.match(/running|listening/g)?.length ?? 0) >= ports.length) resolve();
    });
  });
  await Promise.race([started, exited]);
  try {
    await look(output);
  } finally {
    child.kill('SIGTERM');
  }
  assert.deepEqual(await exited, [0, null]);
  assert.equal(await portsTaken(ports), false);
}
