// How much memory a mesh takes: the proportional share of every process of it.
import { readdirSync, readFileSync } from 'node:fs';
import type { Mesh } from './mesh.ts';

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process has ended meanwhile, or is another user's
  }
}

function parentOf(pid: string): string {
  const stat = readOr(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? '';
}

/** In MiB, of the front and everything it started. */
export async function memoryOf(mesh: Mesh): Promise<{ total: number; processes: number }> {
  const { pid } = await mesh.status();
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const parents = new Map(all.map((each) => [each, parentOf(each)]));
  const isOfMesh = (each: string | undefined): boolean =>
    each !== undefined && each !== '0' && (each === String(pid) || isOfMesh(parents.get(each)));
  const members = all.filter(isOfMesh);
  const kilobytes = members.map((each) =>
    Number(/^Pss:\s+(\d+) kB$/m.exec(readOr(`/proc/${each}/smaps_rollup`))?.[1] ?? 0),
  );
  return { total: Math.round(kilobytes.reduce((sum, each) => sum + each, 0) / 1024), processes: members.length };
}
