// coordination.k8s.io/v1 Lease: how several of a kind agree on who leads.
import { ageColumn, type KindRow, nameColumn, pathColumn } from '../row.ts';
import { int, obj, str, time } from '../schema.ts';

export const leaseRow: KindRow = {
  group: 'coordination.k8s.io',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  schema: obj({
    spec: obj({
      holderIdentity: str('Who holds it.'),
      leaseDurationSeconds: int('Seconds after which others may take it.'),
      acquireTime: time(),
      renewTime: time(),
      leaseTransitions: int('How often it changed hands.'),
      strategy: str(),
      preferredHolder: str(),
    }),
  }),
  columns: [nameColumn, pathColumn('Holder', '.spec.holderIdentity', 'Who holds it.'), ageColumn],
};
