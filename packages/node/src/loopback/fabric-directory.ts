// The directory that is a network: made and removed by whoever starts and outlives the node agent.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sweep } from './belongings.ts';

/** Short, since a socket's path has at most 104 bytes on some systems, and open to this user alone (mode 0700). */
export function createFabricDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'vk-'));
}

/** Kills what is left of its pods. False when some of it would not end; then the directory stays, to find it by. */
export function removeFabric(directory: string): boolean {
  if (!sweep(directory)) return false;
  rmSync(directory, { recursive: true, force: true });
  return true;
}
