// `kubectl --as`: a request that speaks in another's name, if its user may (apiserver filters/impersonation.go).
import type { IncomingMessage } from 'node:http';
import { StatusError } from '../../status-error.ts';
import type { Attributes } from './attributes.ts';
import { knownUser, serviceAccountGroups, serviceAccountOf, type User } from './user.ts';

const EXTRA = 'impersonate-extra-';

/** `require` throws unless the request's own user may do that. */
export function impersonated(request: IncomingMessage, self: User, require: (attributes: Attributes) => void): User {
  const headers = request.headersDistinct;
  const [name] = headers['impersonate-user'] ?? [];
  const groups = headers['impersonate-group'] ?? [];
  const [uid] = headers['impersonate-uid'] ?? [];
  const extra = Object.entries(headers).flatMap(([header, values = []]): [string, string[]][] =>
    header.startsWith(EXTRA) ? [[decodeURIComponent(header.slice(EXTRA.length)), values]] : [],
  );
  if (name === undefined || name === '') {
    if (groups.length === 0 && uid === undefined && extra.length === 0) return self;
    throw StatusError.badRequest('requested groups, uid or extra without impersonating a user');
  }
  const account = serviceAccountOf(name);
  require(
    account === undefined
      ? { verb: 'impersonate', group: '', resource: 'users', name }
      : { verb: 'impersonate', group: '', resource: 'serviceaccounts', ...account },
  );
  for (const group of groups) require({ verb: 'impersonate', group: '', resource: 'groups', name: group });
  const about = { verb: 'impersonate', group: 'authentication.k8s.io' } as const;
  if (uid !== undefined) require({ ...about, resource: 'uids', name: uid });
  for (const [key, values] of extra)
    for (const value of values) require({ ...about, resource: 'userextras', subresource: key, name: value });
  const own = groups.length === 0 && account !== undefined ? serviceAccountGroups(account.namespace) : groups;
  return knownUser(name, own, {
    ...(uid === undefined ? {} : { uid }),
    ...(extra.length === 0 ? {} : { extra: Object.fromEntries(extra) }),
  });
}
