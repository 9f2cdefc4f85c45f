// Runs a program where pods can be: inside namespaces of its own, as root and as an unprivileged user, and where no
// namespaces are to be had.
import assert from 'node:assert/strict';
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

export type Mode = 'root' | 'user' | 'refused';

/** A user that is nobody in particular, for when the tests themselves run as root. */
const NOBODY = '65534';

/** The command line `varka up` uses too: if its first process dies, everything inside does. */
function wrapper(mode: Mode): string[] {
  const unshare = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  if (mode === 'root') return unshare;
  if (mode === 'refused') return refusedWords(process.getuid?.() === 0);
  const rootless = ['unshare', '--user', '--map-root-user', ...unshare.slice(1)];
  const drop = ['setpriv', '--reuid', NOBODY, '--regid', NOBODY, '--clear-groups', '--no-new-privs'];
  return process.getuid?.() === 0 ? [...drop, ...rootless] : rootless;
}

/**
 * The words before a program's own that put it where every namespace is refused, as in an ordinary container: a user
 * namespace whose own limit is set to none, and no capability left in it. The machine's settings stay as they are.
 */
export function refusedWords(becomeNobody: boolean): string[] {
  const become = becomeNobody ? ['setpriv', '--reuid', NOBODY, '--regid', NOBODY, '--clear-groups'] : ['setpriv'];
  const giveUp = 'exec setpriv --ambient-caps=-all --inh-caps=-all --bounding-set=-all "$@"';
  return [
    ...[...become, '--no-new-privs', 'unshare', '--user', '--map-current-user', '--keep-caps'],
    ...['sh', '-c', `echo 0 > /proc/sys/user/max_user_namespaces && ${giveUp}`, 'sh'],
  ];
}

/** Why this machine cannot run tests this way; undefined when it can. */
export function refusal(mode: Mode, script: string): string | undefined {
  if (process.platform !== 'linux') return 'namespaces are Linux only';
  if (mode === 'root' && process.getuid?.() !== 0) return 'not root';
  const [command = '', ...args] = [
    ...wrapper(mode),
    process.execPath,
    '-e',
    `fs.accessSync(${JSON.stringify(script)})`,
  ];
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });
  if (error !== undefined) return `${command}: ${error.message}`;
  return status === 0 ? undefined : `${command} failed: ${stderr.trim().split('\n')[0]}`;
}

export function start(mode: Mode, script: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const [command = '', ...rest] = [...wrapper(mode), process.execPath, script, ...args];
  // A test file inside reports in text of its own, not to the runner outside.
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const sandbox = mode === 'refused' ? 'loopback' : 'netns';
  return spawn(command, rest, { ...options, env: { ...env, VARKA_TEST_SANDBOX: sandbox } });
}

/** Runs a test file there; rejects with its report when not every test passes. */
export async function passes(mode: Mode, script: string): Promise<void> {
  const child = start(mode, script, [], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
  const [code] = await once(child, 'close');
  assert.equal(code, 0, output);
  assert.match(output, /# pass [1-9]|ℹ pass [1-9]/, output);
}
