// project.openshift.io/v1 Project: OpenShift's name for a Namespace. The namespaces are all there is.
import { ageColumn, type KindRow, nameColumn, pathColumn } from '../row.ts';
import { namespaceRow } from './namespace.ts';

const DISPLAY_NAME = 'openshift.io/display-name';

export const projectRow: KindRow = {
  group: 'project.openshift.io',
  kind: 'Project',
  plural: 'projects',
  namespaced: false,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  schema: namespaceRow.schema,
  columns: [
    nameColumn,
    {
      name: 'Display Name',
      type: 'string',
      description: 'The name for people.',
      cell: (project) => project.metadata?.annotations?.[DISPLAY_NAME] ?? '',
    },
    pathColumn('Status', '.status.phase', 'Active, or Terminating while its content is removed.'),
    { ...ageColumn, priority: 1 },
  ],
  view: { of: namespaceRow, show: (object) => ({ ...object }), keep: (object) => ({ ...object }) },
};
