// The chain without a mesh, as a newcomer starts it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const PORTS = [3000, 3001, 3002, 3003];

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

const busy: number[] = [];
for (const port of PORTS) if (await taken(port)) busy.push(port);
const skip = busy.length === 0 ? false : `ports taken on this machine: ${busy.join(', ')}`;

describe('run.ts', { skip }, () => {
  it('starts the four, says what to call, and ends them all on SIGTERM', { timeout: 20_000 }, async () => {
    const child = spawn(process.execPath, [fileURLToPath(new URL('../src/run.ts', import.meta.url))], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    let output = '';
    child.stdout.setEncoding('utf8');
    for await (const text of child.stdout) {
      output += text;
      if ((output.match(/running|listening/g)?.length ?? 0) >= 4) break;
    }
    assert.match(output, /curl localhost:3000/);
    const line = await (await fetch('http://localhost:3000/')).text();
    assert.equal(line, 'Service A <- Service B <- Service C | v1 | local1 | 1\n');
    assert.equal(await (await fetch('http://localhost:3003/')).text(), 'Service C | v2 | local2 | 1');
    child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null]);
    for (const port of PORTS) assert.equal(await taken(port), false, `port ${port} is still taken`);
  });
});
