// What a system test needs from outside: missing on a developer's machine it is skipped with a reason, on CI it fails.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(fileURLToPath(new URL('../../..', import.meta.url)));

/** True where nothing may be skipped. */
export const PEERS_REQUIRED = process.env['CI'] === 'true' || process.env['VARKA_REQUIRE_PEERS'] === '1';

export type Peer<T> = { readonly found: T } | { readonly missing: string };

/** For `test(name, { skip })`: a reason, or false. Throws instead where absence is a failure. */
export function skipUnless(...peers: readonly Peer<unknown>[]): string | false {
  for (const peer of peers) {
    if (!('missing' in peer)) continue;
    if (PEERS_REQUIRED) throw new Error(peer.missing);
    return peer.missing;
  }
  return false;
}

export function must<T>(peer: Peer<T>): T {
  if ('missing' in peer) throw new Error(peer.missing);
  return peer.found;
}

export function inPath(program: string): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return directories.map((directory) => join(directory, program)).find((path) => existsSync(path));
}

/** The manifests of the seeds' own repositories: VARKA_SEEDS, or ../shared/manifests beside the clone. */
export function seedManifests(seed: string): Peer<string> {
  const base = process.env['VARKA_SEEDS'] ?? join(ROOT, '../shared/manifests');
  const path = join(base, seed);
  if (existsSync(path)) return { found: path };
  return { missing: `no manifests at ${path}; set VARKA_SEEDS to the directory that holds ${seed}/` };
}

/** Another user than root to be, where the tests run as root. */
export function ordinaryUser(): Peer<{ uid: number; gid: number }> {
  if (process.getuid?.() !== 0) return { missing: 'this is an ordinary user already; everything here runs as one' };
  if (inPath('setpriv') === undefined) return { missing: 'no setpriv to become an ordinary user with' };
  return { found: { uid: 65_534, gid: 65_534 } };
}

/** Whether this machine lets a mesh start at all. */
export function namespacesAllowed(): Peer<true> {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const trial = spawnSync('unshare', [...user, '--net', '--mount', '--pid', '--fork', '--mount-proc', 'true'], {
    encoding: 'utf8',
  });
  if (trial.status === 0) return { found: true };
  return { missing: `this machine refuses namespaces: ${trial.error?.message ?? trial.stderr.trim()}` };
}

/** Where a mesh's pods may run. */
export const SANDBOXES = ['netns', 'loopback'] as const;

/** For `describe(name, { skip })`: the sandbox without namespaces can be had everywhere. */
export function skipSandbox(sandbox: (typeof SANDBOXES)[number]): string | false {
  return sandbox === 'netns' ? skipUnless(namespacesAllowed()) : false;
}
