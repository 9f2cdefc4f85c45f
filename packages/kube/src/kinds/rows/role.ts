// rbac.authorization.k8s.io/v1 Role and ClusterRole: what may be done, to be given to somebody by a binding.
import type { KubeObject, StatusCause } from '../../object.ts';
import { required } from '../names.ts';
import { records } from '../pod-template.ts';
import { ageColumn, type KindRow, nameColumn, pathColumn } from '../row.ts';
import { type Fields, list, obj, str } from '../schema.ts';
import { labelSelector } from '../schemas/meta.ts';

export const RBAC_GROUP = 'rbac.authorization.k8s.io';
export const RBAC_VERSIONS = ['v1', 'v1beta1'] as const;

const rules = list(
  obj(
    {
      verbs: list(str(), 'get, list, watch, create, update, patch, delete, deletecollection, or "*" for all.'),
      apiGroups: list(str(), 'Groups of the resources; "" is the core group, "*" all.'),
      resources: list(str(), 'Resources, such as pods or pods/log; "*" is all.'),
      resourceNames: list(str(), 'Only objects of these names; all unless given.'),
      nonResourceURLs: list(str(), 'Paths that are no resources, such as /healthz; only in a ClusterRole.'),
    },
    ['verbs'],
  ),
  'What may be done.',
);

const row = (kind: 'Role' | 'ClusterRole', plural: string, namespaced: boolean, more: Fields): KindRow => ({
  group: RBAC_GROUP,
  kind,
  plural,
  namespaced,
  versions: RBAC_VERSIONS,
  storageVersion: 'v1',
  decoding: 'native',
  schema: obj({ rules: { ...rules, nullable: true }, ...more }),
  columns: [
    nameColumn,
    pathColumn('Created At', '.metadata.creationTimestamp', 'When the object was created.'),
    ...(namespaced ? [] : [{ ...ageColumn, priority: 1 }]),
  ],
  rules: { nameFormat: 'path', validate: (object) => ruleProblems(object, namespaced) },
});

export const roleRow = row('Role', 'roles', true, {});
export const clusterRoleRow = row('ClusterRole', 'clusterroles', false, {
  aggregationRule: obj({ clusterRoleSelectors: list(labelSelector) }, [], 'Rules come from the roles so labelled.'),
});

/** pkg/apis/rbac/validation ValidatePolicyRule. */
function ruleProblems(object: KubeObject, namespaced: boolean): StatusCause[] {
  return records(object['rules']).flatMap((rule, index) => {
    const at = `rules[${index}]`;
    const has = (field: string) => Array.isArray(rule[field]) && rule[field].length > 0;
    if (!has('verbs')) return [required(`${at}.verbs`, 'verbs must contain at least one value')];
    if (has('nonResourceURLs')) {
      const forbidden = 'namespaced rules cannot apply to non-resource URLs';
      return namespaced
        ? [
            {
              reason: 'FieldValueInvalid',
              field: `${at}.nonResourceURLs`,
              message: `Invalid value: ${JSON.stringify(rule['nonResourceURLs'])}: ${forbidden}`,
            },
          ]
        : [];
    }
    return [
      ...(has('apiGroups') ? [] : [required(`${at}.apiGroups`, 'resource rules must supply at least one api group')]),
      ...(has('resources') ? [] : [required(`${at}.resources`, 'resource rules must supply at least one resource')]),
    ];
  });
}
