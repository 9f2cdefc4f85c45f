// Nobody gives away, or takes, what he does not have (k8s.io/kubernetes pkg/registry/rbac: "escalate" and "bind").
import { record, records } from '../../kinds/pod-template.ts';
import { RBAC_GROUP } from '../../kinds/rows/role.ts';
import type { KubeObject } from '../../object.ts';
import { StatusError } from '../../status-error.ts';
import type { Access } from './access.ts';
import type { Attributes } from './attributes.ts';
import { EVERYTHING } from './default-roles.ts';
import { allows, type Rule, rulesOf } from './rules.ts';
import type { User } from './user.ts';

/** Throws 403 when a role or binding would give rules that the user who writes it does not hold. */
export function refuseEscalation(access: Access, user: User, plural: string, object: KubeObject): void {
  const { name = '', namespace } = object.metadata ?? {};
  const where = namespace === undefined ? {} : { namespace };
  const roleRef = record(object['roleRef']);
  const isBinding = object['roleRef'] !== undefined;
  const role = isBinding ? String(roleRef['name'] ?? '') : name;
  const kind = isBinding ? String(roleRef['kind'] ?? '') : (object.kind ?? '');
  const resource = kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  const verb = isBinding ? 'bind' : 'escalate';
  if (access.decide(user, { verb, group: RBAC_GROUP, resource, name: role, ...where }).allowed) return;
  const wanted = isBinding ? access.grants.rules(kind, role, namespace) : wantedBy(object);
  // What is not there now may be anything later.
  if (wanted === undefined) throw StatusError.notFound({ group: RBAC_GROUP, plural: resource }, role);
  const held = rulesOf(user, namespace, access.grants).map(({ rule }) => rule);
  const missing = wanted.filter((rule) => !each(rule).every((one) => held.some((own) => allows(own, one))));
  if (missing.length === 0) return;
  const groups = user.groups.map((group) => JSON.stringify(group)).join(' ');
  throw StatusError.forbidden(
    { group: RBAC_GROUP, plural },
    name,
    `user ${JSON.stringify(user.name)} (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${missing.map(ruleText).join('\n')}`,
  );
}

/** Which roles an aggregated one selects may change any time: such a one may come to hold anything. */
function wantedBy(role: KubeObject): readonly Rule[] {
  return role['aggregationRule'] === undefined ? (records(role['rules']) as Rule[]) : EVERYTHING;
}

/** Every single thing that the rule allows; `*` is one of its own. */
function each({
  verbs = [],
  apiGroups = [],
  resources = [],
  resourceNames = [],
  nonResourceURLs = [],
}: Rule): Attributes[] {
  const names = resourceNames.length === 0 ? [undefined] : resourceNames;
  return verbs.flatMap((verb) => [
    ...nonResourceURLs.map((path) => ({ verb, path })),
    ...apiGroups.flatMap((group) =>
      resources.flatMap((full) => {
        const slash = full.indexOf('/');
        const resource = slash < 0 ? full : full.slice(0, slash);
        const below = slash < 0 ? {} : { subresource: full.slice(slash + 1) };
        return names.map((name) => ({ verb, group, resource, ...below, ...(name === undefined ? {} : { name }) }));
      }),
    ),
  ]);
}

function ruleText({ apiGroups, resources, resourceNames, nonResourceURLs, verbs }: Rule): string {
  const fields = {
    APIGroups: apiGroups,
    Resources: resources,
    ResourceNames: resourceNames,
    NonResourceURLs: nonResourceURLs,
    Verbs: verbs,
  };
  const texts = Object.entries(fields).flatMap(([name, values = []]) =>
    values.length === 0 ? [] : [`${name}:[${values.map((value) => JSON.stringify(value)).join(' ')}]`],
  );
  return `{${texts.join(', ')}}`;
}
