// What a mesh says of itself to those outside: where it is reached, and how far it has come.
import type { Profile } from '../profile.ts';
import type { MeshStatus, Phase } from '../protocol.ts';
import type { Published } from './listeners.ts';

export interface Addresses {
  readonly api: string;
  readonly gateway: { readonly http: string; readonly https: string };
  readonly kubeconfig: string;
}

export function addressesOf(
  { kubeconfig }: Pick<Profile, 'kubeconfig'>,
  { api, http, https }: Readonly<Record<Published, number>>,
): Addresses {
  return {
    api: `https://127.0.0.1:${api}`,
    gateway: { http: `http://127.0.0.1:${http}`, https: `https://127.0.0.1:${https}` },
    kubeconfig,
  };
}

/** Once started, as the pods are now. */
export function phaseOf(phase: Phase, { pods }: Pick<MeshStatus, 'pods'>): Phase {
  if (phase !== 'ready' && phase !== 'incomplete') return phase;
  return pods.every((pod) => pod.phase === 'Succeeded' || isWhole(pod.ready)) ? 'ready' : 'incomplete';
}

/** `2/2` is, `1/2` is not. */
function isWhole(ready: string): boolean {
  const [have, want] = ready.split('/');
  return have === want;
}
