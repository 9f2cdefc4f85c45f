// RBAC: what the stored roles and bindings let a user do (k8s.io/kubernetes pkg/registry/rbac/validation).
import type { Attributes } from './attributes.ts';
import { serviceAccountName, type User } from './user.ts';

export interface Rule {
  readonly verbs?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

export interface Binding {
  readonly kind: 'RoleBinding' | 'ClusterRoleBinding';
  readonly name: string;
  readonly namespace?: string;
  readonly subjects: readonly { readonly kind?: string; readonly name?: string; readonly namespace?: string }[];
  readonly roleRef: { readonly kind?: string; readonly name?: string };
}

/** The roles and bindings that there are. */
export interface Grants {
  clusterRoleBindings(): readonly Binding[];
  roleBindings(namespace: string): readonly Binding[];
  /** Undefined when there is no such role. */
  rules(kind: string, name: string, namespace: string | undefined): readonly Rule[] | undefined;
}

export interface Granted {
  readonly rule: Rule;
  /** Why the user has it, in Kubernetes' words. */
  readonly by: string;
}

export interface Decision {
  readonly allowed: boolean;
  readonly reason: string;
}

/** Everything the user may do in the namespace, or without one what holds for the whole cluster. */
export function rulesOf(user: User, namespace: string | undefined, grants: Grants): Granted[] {
  const bindings = [
    ...grants.clusterRoleBindings(),
    ...(namespace === undefined || namespace === '' ? [] : grants.roleBindings(namespace)),
  ];
  return bindings.flatMap((binding) => {
    const subject = binding.subjects.find((one) => isMeant(one, user, binding.namespace));
    if (subject === undefined) return [];
    const { kind = '', name = '' } = binding.roleRef;
    const where = binding.namespace === undefined ? binding.name : `${binding.name}/${binding.namespace}`;
    const by = `RBAC: allowed by ${binding.kind} "${where}" of ${kind} "${name}" to ${subject.kind} "${subjectText(subject)}"`;
    return (grants.rules(kind, name, binding.namespace) ?? []).map((rule) => ({ rule, by }));
  });
}

export function authorize(user: User, attributes: Attributes, grants: Grants): Decision {
  const namespace = 'path' in attributes ? undefined : attributes.namespace;
  const found = rulesOf(user, namespace, grants).find(({ rule }) => allows(rule, attributes));
  return { allowed: found !== undefined, reason: found?.by ?? '' };
}

function isMeant(subject: Binding['subjects'][number], user: User, namespace: string | undefined): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.name === user.name;
    case 'Group':
      return user.groups.includes(subject.name ?? '');
    case 'ServiceAccount':
      return serviceAccountName(subject.namespace ?? namespace ?? '', subject.name ?? '') === user.name;
    default:
      return false;
  }
}

function subjectText({ kind, name = '', namespace = '' }: Binding['subjects'][number]): string {
  return kind === 'ServiceAccount' ? `${name}/${namespace}` : name;
}

export function allows(rule: Rule, attributes: Attributes): boolean {
  if (!has(rule.verbs, attributes.verb)) return false;
  if ('path' in attributes) {
    const { path } = attributes;
    return (rule.nonResourceURLs ?? []).some(
      (url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1))),
    );
  }
  const { group, resource, subresource, name } = attributes;
  const full = subresource === undefined ? resource : `${resource}/${subresource}`;
  const resources = rule.resources ?? [];
  return (
    has(rule.apiGroups, group) &&
    (has(resources, full) || (subresource !== undefined && resources.includes(`*/${subresource}`))) &&
    ((rule.resourceNames ?? []).length === 0 || (name !== undefined && (rule.resourceNames ?? []).includes(name)))
  );
}

const has = (list: readonly string[] = [], value: string): boolean => list.includes('*') || list.includes(value);
