// `varka down`: an orderly stop, or an end in any case. Returns once every process is gone.
import { existsSync, rmSync } from 'node:fs';
import { removeFabric } from '@varka/node/loopback/fabric-directory.ts';
import { profileFlag } from '../errors.ts';
import { requestStop } from '../front/control-client.ts';
import { lockHolder } from '../front/lock.ts';
import { waitUntilGone } from '../front/process-identity.ts';
import { readRuntime, removeRuntime } from '../front/state-directory.ts';
import type { Profile } from '../profile.ts';
import { ProgressView } from './progress.ts';

/** Longer than the front gives its supervisor. */
const PATIENCE_MS = 25_000;
const KILL_PATIENCE_MS = 5_000;

export async function down(profile: Profile, { purge }: { purge: boolean }): Promise<number> {
  const view = new ProgressView(process.stdout);
  const holder = lockHolder(profile.lock);
  if (holder === undefined) {
    process.stdout.write(`profile "${profile.name}" is not running\n`);
    // Killed with its supervisor, a front without namespaces can leave what its pods' programs had started.
    const fabric = readRuntime(profile)?.fabric;
    if (fabric !== undefined && removeFabric(fabric)) removeRuntime(profile);
  } else {
    const runtime = readRuntime(profile);
    const everything = [holder, ...(runtime?.supervisor ?? [])];
    if (!(await requestStop(profile, (event) => view.show(event)))) process.kill(holder.pid, 'SIGTERM');
    if (!(await waitUntilGone(everything, PATIENCE_MS))) {
      for (const { pid } of everything) process.kill(pid, 'SIGKILL');
      if (!(await waitUntilGone(everything, KILL_PATIENCE_MS))) {
        process.stderr.write(
          `pid ${everything.map(({ pid }) => pid).join(', ')} cannot be ended; try again with sudo: varka down${profileFlag(profile.name)}\n`,
        );
        return 1;
      }
      if (runtime?.fabric !== undefined) removeFabric(runtime.fabric);
      removeRuntime(profile);
      rmSync(profile.lock, { force: true });
    }
  }
  if (purge && existsSync(profile.directory)) {
    rmSync(profile.directory, { recursive: true, force: true });
    process.stdout.write(`deleted ${profile.directory}\n`);
  }
  return 0;
}
