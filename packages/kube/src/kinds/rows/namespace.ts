// core/v1 Namespace.

import { record } from '../pod-template.ts';
import { ageColumn, type KindRow, nameColumn, pathColumn } from '../row.ts';
import { listBy, obj, setOf, str } from '../schema.ts';
import { condition } from '../schemas/meta.ts';

export const namespaceRow: KindRow = {
  group: '',
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  namespaced: false,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  subresources: { status: true, finalize: true },
  schema: obj({
    spec: obj(
      { finalizers: setOf(str(), 'What must let go before the namespace is really gone.') },
      [],
      'How the namespace is to be.',
    ),
    status: obj(
      { phase: str('Active or Terminating.'), conditions: listBy('type', condition()) },
      [],
      'How the namespace is.',
    ),
  }),
  columns: [
    nameColumn,
    pathColumn('Status', '.status.phase', 'Active, or Terminating while its content is removed.'),
    ageColumn,
  ],
  selectableFields: { 'status.phase': (object) => String(record(object['status'])['phase'] ?? '') },
  rules: {
    nameFormat: 'label',
    prepareCreate(draft) {
      // Kubernetes: every namespace carries the finalizer of its own content, and a label with its name.
      draft['spec'] = { finalizers: ['kubernetes'] };
      draft['status'] = { phase: 'Active' };
      const metadata = draft.metadata ?? {};
      draft.metadata = metadata;
      metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name ?? '' };
    },
    prepareUpdate(draft, old) {
      draft['spec'] = old['spec'];
      const name = draft.metadata?.name ?? '';
      draft.metadata = {
        ...draft.metadata,
        labels: { ...draft.metadata?.labels, 'kubernetes.io/metadata.name': name },
      };
    },
  },
};
