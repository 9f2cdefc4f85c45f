// Going into other namespaces and coming back. Only the main thread goes, and only for synchronous work.
import { closeSync, openSync, writeSync } from 'node:fs';
import { CLONE_FS, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUTS, fchdir, setns, unshare } from '../netlink/libc.ts';
import { orUnavailable } from '../sandbox/errors.ts';

/** Descriptors that hold a pod's namespaces open; nothing else but its processes does. */
export interface NamespaceFds {
  readonly net: number;
  readonly mnt: number;
  readonly uts: number;
}

interface Home extends NamespaceFds {
  readonly cwd: number;
}

let home: Home | undefined;

/** Namespaces by descriptor. Node opens every file close-on-exec, so no container inherits these. */
function openCurrent(): NamespaceFds {
  return {
    net: openSync('/proc/thread-self/ns/net', 'r'),
    mnt: openSync('/proc/thread-self/ns/mnt', 'r'),
    uts: openSync('/proc/thread-self/ns/uts', 'r'),
  };
}

function ensureHome(): Home {
  if (home === undefined) {
    // setns(2): a thread that shares its root and working directory with others may not change its mount namespace.
    // From here on the main thread has its own, so relative paths in asynchronous fs calls must not be relied on.
    // And a UTS namespace of its own, because in a rootless set-up the machine's belongs to another user namespace:
    // once left there would be no way back.
    const types = CLONE_FS | CLONE_NEWUTS;
    orUnavailable('namespaces', () => unshare(types, 'detach the main thread’s root, working directory and host name'));
    home = { ...openCurrent(), cwd: openSync('.', 'r') };
  }
  return home;
}

/**
 * Runs `work` and then returns to the supervisor's own namespaces whatever happened. If the way back is barred the
 * process ends at once: going on would run the control plane inside some pod.
 */
function bracket<T>(types: number, work: (home: Home) => T): T {
  const back = ensureHome();
  try {
    const result = work(back);
    if (result instanceof Promise) throw new TypeError('only synchronous work may run inside another namespace');
    return result;
  } finally {
    try {
      if (types & CLONE_NEWNET) setns(back.net, CLONE_NEWNET, 'return to the cluster’s network namespace');
      if (types & CLONE_NEWUTS) setns(back.uts, CLONE_NEWUTS, 'return to the supervisor’s UTS namespace');
      if (types & CLONE_NEWNS) {
        setns(back.mnt, CLONE_NEWNS, 'return to the supervisor’s mount namespace');
        // setns(2) leaves the thread at the namespace's root.
        fchdir(back.cwd);
      }
    } catch (error) {
      writeSync(2, `varka: cannot return from a pod's namespaces, ending: ${String(error)}\n`);
      process.abort();
    }
  }
}

/** `setUp` runs inside new network, mount and UTS namespaces, whose descriptors are returned. */
export function createNamespaces(setUp: (fds: NamespaceFds, homeNet: number) => void): NamespaceFds {
  const types = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS;
  return bracket(types, (back) => {
    orUnavailable('namespaces', () => unshare(types, 'make network, mount and UTS namespaces for a pod'));
    const fds = openCurrent();
    try {
      setUp(fds, back.net);
    } catch (error) {
      closeNamespaces(fds);
      throw error;
    }
    return fds;
  });
}

/**
 * A mount namespace for one container: a copy of the pod's in which `setUp` has made its mounts. The pod's own, and the
 * other containers', stay as they are.
 */
export function createMountNamespace(pod: NamespaceFds, setUp: () => void): number {
  return bracket(CLONE_NEWNS, () => {
    setns(pod.mnt, CLONE_NEWNS, 'enter a pod’s mount namespace');
    orUnavailable('namespaces', () => unshare(CLONE_NEWNS, 'make a mount namespace for a container'));
    setUp();
    return openSync('/proc/thread-self/ns/mnt', 'r');
  });
}

/** After something was mounted over the root: setns(2) leaves the thread at the root that is now on top. */
export function enterNewRoot(): void {
  const here = openSync('/proc/thread-self/ns/mnt', 'r');
  try {
    setns(here, CLONE_NEWNS, 'enter a container’s root directory');
  } finally {
    closeSync(here);
  }
}

/** For starting a process of the pod: a child inherits the namespaces of the thread that forks it. */
export function insideNamespaces<T>(fds: NamespaceFds, work: () => T): T {
  return bracket(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS, () => {
    setns(fds.net, CLONE_NEWNET, 'enter a pod’s network namespace');
    setns(fds.uts, CLONE_NEWUTS, 'enter a pod’s UTS namespace');
    setns(fds.mnt, CLONE_NEWNS, 'enter a pod’s mount namespace');
    return work();
  });
}

/** For making a socket of the pod: it stays there when the thread goes home. */
export function insideNetwork<T>(fds: NamespaceFds, work: () => T): T {
  return bracket(CLONE_NEWNET, () => {
    setns(fds.net, CLONE_NEWNET, 'enter a pod’s network namespace');
    return work();
  });
}

export function closeNamespaces(fds: NamespaceFds): void {
  closeSync(fds.net);
  closeSync(fds.mnt);
  closeSync(fds.uts);
}
