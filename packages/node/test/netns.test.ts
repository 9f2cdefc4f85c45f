// Runs the tests under inside/ where pods can be: in namespaces of their own, as root and as an ordinary user.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { passes, refusal, start } from './support/unshared.ts';

const SUITES = ['sandbox', 'terminal', 'commands', 'mounts', 'volumes', 'pods', 'pod-end', 'services', 'dns'];
const scriptOf = (name: string): string => fileURLToPath(new URL(`./inside/${name}.ts`, import.meta.url));

for (const mode of ['root', 'user'] as const) {
  // Side by side: each suite has a machine of its own, as far as networks and processes go.
  describe(`as ${mode}`, { concurrency: 2 }, () => {
    const skip = refusal(mode, scriptOf('sandbox')) ?? false;
    for (const suite of SUITES) {
      test(suite, { skip }, async () => {
        await passes(mode, scriptOf(suite));
      });
    }

    test('kill -9 of the supervisor leaves no process', { skip }, async () => {
      const marker = `varka-test-${process.pid}-${mode}`;
      const directory = mkdtempSync(join(tmpdir(), 'varka-kill-'));
      // Whoever the supervisor runs as writes there.
      chmodSync(directory, 0o777);
      const child = start(mode, scriptOf('supervisor'), [marker, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
      try {
        const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
        assert.equal(String(line).trim(), 'pods run');
        // Each pod: a shell, and a daemon that left its session and its parent.
        const running = (): number => processesWith(marker).filter((command) => command.includes('sleep')).length;
        assert.equal(await eventually(running, 4), 4);
        const supervisor = childrenOf(child.pid as number)[0];
        assert.ok(supervisor !== undefined);
        process.kill(supervisor, 'SIGKILL');
        await once(child, 'close');
        assert.equal(await eventually(() => processesWith(marker).length, 0), 0);
      } finally {
        child.kill('SIGKILL');
        rmSync(directory, { recursive: true, force: true });
      }
    });
  });
}

function processesWith(marker: string): string[] {
  const commands: string[] = [];
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const command = commandOf(pid);
    if (command.includes(marker)) commands.push(command);
  }
  return commands;
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    // Ended since the listing.
    return '';
  }
}

function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children === '' ? [] : children.split(' ').map(Number);
}

/** Looks until it sees what is wanted; answers what it saw last. */
async function eventually(look: () => number, wanted: number): Promise<number> {
  let seen = look();
  for (let tries = 0; seen !== wanted && tries < 100; tries++) {
    await delay(20);
    seen = look();
  }
  return seen;
}
