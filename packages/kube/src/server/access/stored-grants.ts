// The roles and bindings that are stored, as the authorizer reads them.
import { selectorOf } from '../../kinds/label-selector.ts';
import { record, records } from '../../kinds/pod-template.ts';
import { resourceOf } from '../../kinds/row.ts';
import { clusterRoleRow, roleRow } from '../../kinds/rows/role.ts';
import { clusterRoleBindingRow, roleBindingRow } from '../../kinds/rows/role-binding.ts';
import type { KubeObject } from '../../object.ts';
import type { Store } from '../../store/store.ts';
import type { Binding, Grants, Rule } from './rules.ts';

export function storedGrants(store: Store): Grants {
  return {
    clusterRoleBindings: () => store.list(resourceOf(clusterRoleBindingRow)).items.map(bindingOf('ClusterRoleBinding')),
    roleBindings: (namespace) => store.list(resourceOf(roleBindingRow), namespace).items.map(bindingOf('RoleBinding')),
    rules(kind, name, namespace) {
      if (kind === 'Role') return rulesIn(store.get(resourceOf(roleRow), namespace, name));
      const role = store.get(resourceOf(clusterRoleRow), undefined, name);
      return role === undefined ? undefined : [...(rulesIn(role) ?? []), ...aggregated(store, role)];
    },
  };
}

const rulesIn = (role: KubeObject | undefined): Rule[] | undefined =>
  role === undefined ? undefined : records(role['rules']);

/** Rules of the roles that an aggregated ClusterRole selects. */
function aggregated(store: Store, role: KubeObject): Rule[] {
  const selectors = records(record(role['aggregationRule'])['clusterRoleSelectors']).map((one) => selectorOf(one));
  if (selectors.length === 0) return [];
  return store
    .list(resourceOf(clusterRoleRow))
    .items.filter((one) => one !== role && selectors.some((selects) => selects(one.metadata?.labels)))
    .flatMap((one) => rulesIn(one) ?? []);
}

const bindingOf =
  (kind: Binding['kind']) =>
  (object: KubeObject): Binding => ({
    kind,
    name: object.metadata?.name ?? '',
    ...(object.metadata?.namespace === undefined ? {} : { namespace: object.metadata.namespace }),
    subjects: records(object['subjects']),
    roleRef: record(object['roleRef']),
  });
