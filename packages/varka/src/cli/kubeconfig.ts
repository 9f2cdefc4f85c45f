// `varka kubeconfig`: the file's path and nothing else, for `export KUBECONFIG=$(varka kubeconfig)`.
import { existsSync } from 'node:fs';
import { problem, profileFlag } from '../errors.ts';
import type { Profile } from '../profile.ts';

export function kubeconfig(profile: Profile): void {
  if (!existsSync(profile.kubeconfig))
    throw problem('no-kubeconfig', { name: profile.name, flag: profileFlag(profile.name) });
  process.stdout.write(`${profile.kubeconfig}\n`);
}
