// rbac.authorization.k8s.io/v1 RoleBinding and ClusterRoleBinding: who has a role.
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, StatusCause } from '../../object.ts';
import { invalid, required, unsupported } from '../names.ts';
import { record, records } from '../pod-template.ts';
import { ageColumn, type Column, type KindRow, nameColumn } from '../row.ts';
import { list, obj, str } from '../schema.ts';
import { RBAC_GROUP, RBAC_VERSIONS } from './role.ts';

const subject = obj(
  {
    kind: str('User, Group or ServiceAccount.'),
    apiGroup: str('Group of the subject; "" for ServiceAccounts.'),
    name: str('Name of the subject.'),
    namespace: str('Namespace of a ServiceAccount.'),
  },
  ['kind', 'name'],
);

const subjectColumn = (kind: string, title: string): Column => ({
  name: title,
  type: 'string',
  description: `Subjects of kind ${kind}.`,
  priority: 1,
  cell: (binding) =>
    records(binding['subjects'])
      .filter((one) => one['kind'] === kind)
      .map((one) => (one['namespace'] === undefined ? one['name'] : `${one['namespace']}/${one['name']}`))
      .join(', '),
});

const row = (kind: 'RoleBinding' | 'ClusterRoleBinding', plural: string, namespaced: boolean): KindRow => ({
  group: RBAC_GROUP,
  kind,
  plural,
  namespaced,
  versions: RBAC_VERSIONS,
  storageVersion: 'v1',
  decoding: 'native',
  schema: obj(
    {
      subjects: list(subject, 'Who has the role.'),
      roleRef: obj(
        {
          apiGroup: str('rbac.authorization.k8s.io.', { default: RBAC_GROUP }),
          kind: str('Role or ClusterRole.'),
          name: str('Name of the role.'),
        },
        ['kind', 'name'],
        'The role; cannot be changed.',
      ),
    },
    ['roleRef'],
  ),
  columns: [
    nameColumn,
    {
      name: 'Role',
      type: 'string',
      description: 'The role that is given.',
      cell: (binding) => `${record(binding['roleRef'])['kind']}/${record(binding['roleRef'])['name']}`,
    },
    ageColumn,
    subjectColumn('User', 'Users'),
    subjectColumn('Group', 'Groups'),
    subjectColumn('ServiceAccount', 'ServiceAccounts'),
  ],
  rules: {
    nameFormat: 'path',
    prepareCreate: defaultSubjects,
    prepareUpdate: defaultSubjects,
    validate: (object, old) => bindingProblems(object, old, namespaced),
  },
});

export const roleBindingRow = row('RoleBinding', 'rolebindings', true);
export const clusterRoleBindingRow = row('ClusterRoleBinding', 'clusterrolebindings', false);

/** Users and groups belong to RBAC's own group, service accounts to the core group. */
function defaultSubjects(draft: KubeObject): void {
  for (const one of records(draft['subjects'])) {
    if (one['kind'] === 'User' || one['kind'] === 'Group') one['apiGroup'] ??= RBAC_GROUP;
  }
}

/** pkg/apis/rbac/validation ValidateRoleBinding. */
function bindingProblems(object: KubeObject, old: KubeObject | undefined, namespaced: boolean): StatusCause[] {
  const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  const roleRef = record(object['roleRef']);
  const causes: StatusCause[] = [];
  if (!kinds.includes(String(roleRef['kind']))) causes.push(unsupported('roleRef.kind', roleRef['kind'], kinds));
  if (old !== undefined && !isDeepStrictEqual(roleRef, old['roleRef']))
    causes.push(invalid('roleRef', roleRef, 'cannot change roleRef'));
  for (const [index, one] of records(object['subjects']).entries()) {
    const at = `subjects[${index}]`;
    if (!['User', 'Group', 'ServiceAccount'].includes(String(one['kind'])))
      causes.push(unsupported(`${at}.kind`, one['kind'], ['ServiceAccount', 'User', 'Group']));
    if (one['kind'] === 'ServiceAccount' && (one['namespace'] ?? '') === '') causes.push(required(`${at}.namespace`));
  }
  return causes;
}
