// Answers to the kinds that are created only to be answered (authorization.k8s.io, authentication.k8s.io).
import { record } from '../../kinds/pod-template.ts';
import type { KubeObject } from '../../object.ts';
import { StatusError } from '../../status-error.ts';
import type { Access } from './access.ts';
import type { Attributes } from './attributes.ts';
import { rulesOf } from './rules.ts';
import type { User } from './user.ts';

/** `review` has been checked against its schema; `namespace` is that of the request. */
export function answerReview(
  access: Access,
  user: User,
  review: KubeObject,
  namespace: string | undefined,
): KubeObject {
  const spec = record(review['spec']);
  switch (review.kind) {
    case 'SelfSubjectAccessReview':
      return { ...review, status: access.decide(user, askedOf(spec)) };
    case 'SubjectAccessReview':
    case 'LocalSubjectAccessReview':
      return { ...review, status: access.decide(subjectOf(spec), askedOf(spec, namespace)) };
    case 'SelfSubjectRulesReview':
      return { ...review, status: rulesStatus(access, user, String(spec['namespace'] ?? '')) };
    case 'SelfSubjectReview':
      return { ...review, status: { userInfo: userInfo(user) } };
    case 'TokenReview': {
      const found = access.userOfToken(String(spec['token'] ?? ''));
      return {
        ...review,
        status:
          found === undefined ? { error: 'the token is not valid' } : { authenticated: true, user: userInfo(found) },
      };
    }
    default:
      throw StatusError.internal(`nothing answers a ${review.kind}`);
  }
}

function subjectOf(spec: Record<string, unknown>): User {
  const { user, groups } = spec;
  if (typeof user !== 'string' && !Array.isArray(groups))
    throw StatusError.badRequest('a SubjectAccessReview needs spec.user or spec.groups');
  // In the groups that are named, and no others: who asks may mean somebody who is not known.
  return { name: String(user ?? ''), groups: Array.isArray(groups) ? groups.map(String) : [] };
}

function askedOf(spec: Record<string, unknown>, namespace?: string): Attributes {
  const path = spec['nonResourceAttributes'];
  if (path !== undefined) return { verb: String(record(path)['verb'] ?? ''), path: String(record(path)['path'] ?? '') };
  const asked = record(spec['resourceAttributes']);
  const where = namespace ?? text(asked['namespace']);
  const [name, subresource] = [text(asked['name']), text(asked['subresource'])];
  return {
    verb: String(asked['verb'] ?? ''),
    group: String(asked['group'] ?? ''),
    resource: String(asked['resource'] ?? ''),
    ...(subresource === undefined ? {} : { subresource }),
    ...(where === undefined ? {} : { namespace: where }),
    ...(name === undefined ? {} : { name }),
  };
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

function rulesStatus(access: Access, user: User, namespace: string): object {
  const rules = rulesOf(user, namespace, access.grants).map(({ rule }) => rule);
  return {
    resourceRules: rules
      .filter((rule) => (rule.resources ?? []).length > 0)
      .map(({ nonResourceURLs: _, ...rule }) => rule),
    nonResourceRules: rules
      .filter((rule) => (rule.nonResourceURLs ?? []).length > 0)
      .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: false,
  };
}

function userInfo({ name, uid, groups, extra }: User): object {
  return {
    username: name,
    ...(uid === undefined ? {} : { uid }),
    groups,
    ...(extra === undefined ? {} : { extra }),
  };
}
