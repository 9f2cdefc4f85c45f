// Which profiles below one $VARKA_HOME have a live mesh.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../errors.ts';
import { lockHolder } from './lock.ts';

export function runningProfiles(home: string): string[] {
  try {
    const names = readdirSync(home, { withFileTypes: true }).filter(
      (entry) => entry.isDirectory() && !entry.name.startsWith('.'),
    );
    return names.map((entry) => entry.name).filter((name) => lockHolder(join(home, name, 'lock')) !== undefined);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
