// What the sandbox says when this machine's kernel, or this user's rights, do not allow it.
import { KernelError } from '../netlink/libc.ts';

/** The `netns` sandbox cannot work here: what was tried, why it failed, what the user can do. */
export class SandboxUnavailableError extends Error {
  override readonly name = 'SandboxUnavailableError';
  readonly what: string;
  readonly why: string;
  readonly advice: string;

  constructor(what: string, why: string, advice: string, cause?: unknown) {
    super(`${what}: ${why}. ${advice}`, { cause });
    this.what = what;
    this.why = why;
    this.advice = advice;
  }
}

interface Reason {
  readonly why: string;
  readonly advice: string;
}

const NOT_PERMITTED: Reason = {
  why: 'the kernel does not permit it (no CAP_NET_ADMIN or CAP_SYS_ADMIN in this user namespace)',
  advice:
    'Run as root, or allow unprivileged user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns), or in a container add the capabilities NET_ADMIN and SYS_ADMIN',
};

const NO_SERVICES: Reason = {
  why: 'this kernel lacks the parts of nf_tables that cluster IPs need',
  advice: 'Load them as root: modprobe nf_tables nft_chain_nat nft_nat nft_numgen nft_hash nft_ct nft_reject_ipv4',
};

/** Which refusals mean "never on this machine", by the part of the kernel that was asked. */
const REASONS: Readonly<Record<'namespaces' | 'links' | 'capture' | 'services', Readonly<Record<string, Reason>>>> = {
  namespaces: {
    EPERM: NOT_PERMITTED,
    EACCES: NOT_PERMITTED,
    EINVAL: {
      why: 'this kernel was built without network, mount or UTS namespaces',
      advice: 'Use a kernel with CONFIG_NET_NS and CONFIG_UTS_NS',
    },
    ENOSPC: {
      why: 'the limit of namespaces is reached',
      advice: 'Raise user.max_net_namespaces and user.max_mnt_namespaces with sysctl',
    },
  },
  links: {
    EPERM: NOT_PERMITTED,
    EOPNOTSUPP: {
      why: 'this kernel has no veth or bridge interfaces',
      advice: 'Load them as root: modprobe veth bridge',
    },
  },
  capture: {
    EPERM: NOT_PERMITTED,
    ENOENT: {
      why: 'this kernel lacks nf_tables NAT',
      advice: 'Load it as root: modprobe nf_tables nft_chain_nat nft_redir',
    },
    EOPNOTSUPP: {
      why: 'this kernel lacks nf_tables NAT',
      advice: 'Load it as root: modprobe nf_tables nft_chain_nat nft_redir',
    },
    EPROTONOSUPPORT: {
      why: 'this kernel lacks nf_tables',
      advice: 'Load it as root: modprobe nfnetlink nf_tables nft_chain_nat nft_redir',
    },
  },
  services: {
    EPERM: NOT_PERMITTED,
    ENOENT: NO_SERVICES,
    EOPNOTSUPP: NO_SERVICES,
    EPROTONOSUPPORT: NO_SERVICES,
  },
};

/** Runs a step of the set-up; a refusal that no retry can change becomes a `SandboxUnavailableError`. */
export function orUnavailable<T>(part: keyof typeof REASONS, step: () => T): T {
  try {
    return step();
  } catch (error) {
    const reason = error instanceof KernelError ? REASONS[part][error.code] : undefined;
    if (reason === undefined || !(error instanceof KernelError)) throw error;
    throw new SandboxUnavailableError(`cannot ${error.doing}`, `${reason.why} (${error.code})`, reason.advice, error);
  }
}
