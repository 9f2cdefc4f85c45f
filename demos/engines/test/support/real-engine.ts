// The real servers, where this machine has them, for the same suites as the embedded ones.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../src/engine.ts';
import { installed as inPath } from '../../src/installed.ts';

export interface RunningEngine {
  readonly port: number;
  stop(): Promise<void>;
}

/** The path of an installed program, or undefined. */
export function installed(program: string): string | undefined {
  return inPath(program) ?? globSync(`/usr/lib/postgresql/*/bin/${program}`)[0];
}

export function skipUnlessInstalled(program: string, debianPackage: string): string | false {
  return installed(program) === undefined ? `no ${program} on this machine (apt-get install ${debianPackage})` : false;
}

/** PostgreSQL on a new cluster that trusts everybody. It refuses to run as root, so there it runs as nobody. */
export async function startPostgres(): Promise<RunningEngine> {
  const directory = mkdtempSync(join(tmpdir(), 'varka-postgres-'));
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  if (nobody.uid !== undefined) chownSync(directory, nobody.uid, nobody.gid);
  const made = spawnSync(
    installed('initdb') as string,
    ['-D', `${directory}/data`, '-N', '-A', 'trust', '-U', 'demo', '-E', 'UTF8', '--locale=C'],
    { ...nobody, cwd: directory, encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const port = await freePort();
  const server = spawn(
    installed('postgres') as string,
    ['-D', `${directory}/data`, '-p', String(port), '-h', '127.0.0.1', '-k', directory, '-F'],
    { ...nobody, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  await lineOf(server, /ready to accept connections/);
  return {
    port,
    async stop() {
      server.kill('SIGINT');
      await once(server, 'exit');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Resolves at the first output that matches; rejects when the program ends before. */
export function lineOf(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (more: string) => {
        text += more;
        if (pattern.test(text)) resolve(text);
      });
    }
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${text}`)));
  });
}
