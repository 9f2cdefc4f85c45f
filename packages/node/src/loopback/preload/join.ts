// Makes this process a member of the cluster's network: from here on its sockets and names are the pod's.
import { syncBuiltinESMExports } from 'node:module';
import { patchConnecting } from './connecting.ts';
import { Fabric, type Membership } from './fabric.ts';
import { patchFiles } from './files.ts';
import { patchListening } from './listening.ts';
import { patchNames } from './names.ts';
import { patchSurroundings } from './surroundings.ts';

export const MEMBERSHIP_VARIABLE = 'VARKA_FABRIC';

export function joinFabric(membership: Membership): void {
  const fabric = new Fabric(membership);
  patchListening(fabric);
  patchConnecting(fabric);
  if (fabric.isPod) {
    patchNames(fabric);
    patchSurroundings(membership);
    if (membership.mounts !== undefined) patchFiles(membership.mounts);
  }
  // So that `import { connect } from 'node:net'` gives the same as `net.connect`.
  syncBuiltinESMExports();
}
