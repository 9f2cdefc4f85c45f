// Which kind of place pods get: tried, not guessed, unless the user said which.
import { VarkaError } from '../errors.ts';
import { choosePrivilege, type Privilege } from './namespaces.ts';

export const SANDBOXES = ['auto', 'netns', 'loopback'] as const;
export type SandboxOption = (typeof SANDBOXES)[number];

export type Sandbox =
  | { readonly kind: 'netns'; readonly privilege: Privilege }
  /** `reason` is why there are no namespaces; undefined when the user wanted none. */
  | { readonly kind: 'loopback'; readonly reason: string | undefined };

export async function chooseSandbox(option: SandboxOption): Promise<Sandbox> {
  if (option === 'loopback') return { kind: 'loopback', reason: undefined };
  try {
    return { kind: 'netns', privilege: await choosePrivilege() };
  } catch (error) {
    // Whatever the machine lacks for namespaces; only one who asked for them has to do something about it.
    if (option === 'netns' || !(error instanceof VarkaError)) throw error;
    const { what, why } = error.problem;
    return { kind: 'loopback', reason: `${what}; ${why}` };
  }
}

/** One line: what it is, why, and what it cannot do. */
export function describeSandbox(sandbox: Sandbox): string {
  if (sandbox.kind === 'netns') {
    return `sandbox: network namespaces, ${sandbox.privilege === 'root' ? 'as root' : 'rootless'}`;
  }
  const reason = sandbox.reason === undefined ? '' : ` (${sandbox.reason})`;
  return `sandbox: loopback${reason}; pods are not isolated from this machine, programs other than Node reach the cluster by HTTP_PROXY only, UDP is not carried`;
}
