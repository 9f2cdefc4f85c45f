// Starts a program as PID 1 of its own PID, mount and network namespaces: as root directly, otherwise inside a user
// namespace in which the user is root. When that first process ends, the kernel ends every other one in the PID
// namespace and the namespaces with their interfaces and rules vanish, so nothing can be left behind.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { errorCode, problem, type VarkaError } from '../errors.ts';

export type Privilege = 'root' | 'rootless';

const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

/**
 * The words before the program's own. --kill-child ends the program when `unshare` dies; setpriv gives `unshare` the
 * same tie to whoever starts it, so that not even a stuck program survives its front.
 */
export function namespaceCommand(privilege: Privilege): [string, ...string[]] {
  const user = privilege === 'root' ? [] : ['--user', '--map-root-user'];
  return ['setpriv', '--pdeathsig', 'KILL', 'unshare', ...user, ...NAMESPACES];
}

type Trial =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'refused'; readonly detail: string; readonly missing: string | undefined };

function attempt(privilege: Privilege): Promise<Trial> {
  const [program, ...args] = namespaceCommand(privilege);
  return new Promise((resolve) => {
    // A program that is there for sure: the one that has just been found.
    execFile(program, [...args, 'setpriv', '--version'], { timeout: 10_000 }, (error, _stdout, stderr) => {
      if (error === null) return resolve({ kind: 'allowed' });
      const missing =
        errorCode(error) === 'ENOENT' ? program : /failed to execute unshare/.test(stderr) ? 'unshare' : undefined;
      resolve({ kind: 'refused', detail: stderr.trim().split('\n')[0] || error.message, missing });
    });
  });
}

function sysctl(name: string): string | undefined {
  const path = `/proc/sys/${name.replaceAll('.', '/')}`;
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
}

/** What on this machine is known to refuse namespaces, and what to do about it. */
function diagnose(): { cause: string; remedy: string } {
  const inContainer = existsSync('/.dockerenv') || existsSync('/run/.containerenv');
  if (sysctl('kernel.unprivileged_userns_clone') === '0') {
    return {
      cause: 'sysctl kernel.unprivileged_userns_clone is 0',
      remedy: 'sudo sysctl kernel.unprivileged_userns_clone=1, or run varka as root',
    };
  }
  if (sysctl('user.max_user_namespaces') === '0') {
    return {
      cause: 'sysctl user.max_user_namespaces is 0',
      remedy: 'sudo sysctl user.max_user_namespaces=15000, or run varka as root',
    };
  }
  if (sysctl('kernel.apparmor_restrict_unprivileged_userns') === '1') {
    return {
      cause: 'AppArmor restricts user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns is 1)',
      remedy: 'sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or run varka as root',
    };
  }
  if (inContainer) {
    return {
      cause: 'this is a container, and its runtime does not allow it to make namespaces of its own',
      remedy: 'start the container with --privileged, or run varka outside it',
    };
  }
  return {
    cause:
      process.getuid?.() === 0
        ? 'this root user lacks CAP_SYS_ADMIN, and user namespaces are refused too'
        : 'this user may not make user namespaces',
    remedy: 'run varka as root, or on a kernel with user namespaces enabled (CONFIG_USER_NS)',
  };
}

/** Finds out by trying, since no setting says for sure. Root without the capability may still have user namespaces. */
export async function choosePrivilege(): Promise<Privilege> {
  if (process.platform !== 'linux') throw problem('not-linux', { system: process.platform });
  const order: Privilege[] = process.getuid?.() === 0 ? ['root', 'rootless'] : ['rootless'];
  let refusal: VarkaError | undefined;
  for (const privilege of order) {
    const trial = await attempt(privilege);
    if (trial.kind === 'allowed') return privilege;
    if (trial.missing !== undefined) throw problem('no-unshare', { program: trial.missing });
    if (/unrecognized option|invalid option/.test(trial.detail)) throw problem('old-unshare', { detail: trial.detail });
    refusal ??= problem('namespaces-refused', { detail: trial.detail, ...diagnose() });
  }
  throw refusal ?? new Error('no way of making namespaces was tried');
}
