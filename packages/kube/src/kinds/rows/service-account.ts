// core/v1 ServiceAccount.
import { records } from '../pod-template.ts';
import { ageColumn, type KindRow, nameColumn } from '../row.ts';
import { bool, listBy, obj } from '../schema.ts';
import { localReference, objectReference } from '../schemas/meta.ts';

export const serviceAccountRow: KindRow = {
  group: '',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  subresources: { token: true },
  schema: obj({
    secrets: listBy('name', objectReference, 'Secrets that pods of this account may use.'),
    imagePullSecrets: listBy('name', localReference),
    automountServiceAccountToken: bool(),
  }),
  columns: [
    nameColumn,
    {
      name: 'Secrets',
      type: 'string',
      description: 'How many secrets it names.',
      cell: (account) => records(account['secrets']).length,
    },
    ageColumn,
  ],
};
