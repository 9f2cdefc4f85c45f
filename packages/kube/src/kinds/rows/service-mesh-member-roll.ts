// maistra.io/v1 ServiceMeshMemberRoll: the namespaces that belong to the mesh.
import { type KindRow, nameColumn, pathColumn } from '../row.ts';
import { anything, list, obj, str } from '../schema.ts';

export const serviceMeshMemberRollRow: KindRow = {
  group: 'maistra.io',
  kind: 'ServiceMeshMemberRoll',
  plural: 'servicemeshmemberrolls',
  shortNames: ['smmr'],
  categories: ['maistra-io'],
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'lenient',
  subresources: { status: true },
  schema: obj({
    spec: obj(
      { members: list(str(), 'Names of namespaces.'), memberSelectors: list(anything()) },
      [],
      'Who is to belong.',
    ),
    status: anything('Who belongs.'),
  }),
  columns: [
    nameColumn,
    pathColumn('Ready', '.status.annotations.configuredMemberCount', 'Members that are set up, of all.'),
    pathColumn('Status', '.status.conditions[?(@.type=="Ready")].reason', 'Why it is ready, or not.'),
    pathColumn('Age', '.metadata.creationTimestamp', 'When the object was created.', 'date'),
    pathColumn('Members', '.status.members', 'The members.', 'string', 1),
  ],
};
