// Lets requests in: who they come from, in whose name they speak, and whether the roles allow what they want.
import type { IncomingMessage } from 'node:http';
import { StatusError } from '../../status-error.ts';
import type { Store } from '../../store/store.ts';
import type { Authenticator } from '../authenticator.ts';
import { type Attributes, attributesOf } from './attributes.ts';
import { impersonated } from './impersonation.ts';
import { authorize, type Decision, type Grants } from './rules.ts';
import { storedGrants } from './stored-grants.ts';
import { MASTERS, type User } from './user.ts';

export class Access {
  readonly grants: Grants;
  readonly #authenticator: Authenticator;

  constructor(store: Store, authenticator: Authenticator) {
    this.#authenticator = authenticator;
    this.grants = storedGrants(store);
  }

  /** The user in whose name the request is to be answered. Throws 401 and 403. */
  enter(request: IncomingMessage, url: URL): User {
    const self = this.#authenticator.userOf(request);
    if (self === undefined) throw StatusError.unauthorized();
    const user = impersonated(request, self, (attributes) => this.require(self, attributes));
    this.require(user, attributesOf(request.method ?? 'GET', url));
    return user;
  }

  /** The user that a bearer token belongs to. */
  userOfToken(token: string): User | undefined {
    return this.#authenticator.userOfToken(token);
  }

  decide(user: User, attributes: Attributes): Decision {
    if (user.groups.includes(MASTERS)) return { allowed: true, reason: '' };
    return authorize(user, attributes, this.grants);
  }

  /** Throws 403 unless the roles allow it. */
  require(user: User, attributes: Attributes): void {
    if (!this.decide(user, attributes).allowed) throw refusal(user, attributes);
  }
}

/** apiserver responsewriters.ForbiddenMessage, with the object it is about before it. */
function refusal(user: User, attributes: Attributes): StatusError {
  if ('path' in attributes) {
    const { verb, path } = attributes;
    return StatusError.of(
      403,
      'Forbidden',
      `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(path)}`,
    );
  }
  const { verb, group, resource, subresource, namespace, name } = attributes;
  const full = subresource === undefined ? resource : `${resource}/${subresource}`;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  const qualified = group === '' ? resource : `${resource}.${group}`;
  const subject = name === undefined ? qualified : `${qualified} ${JSON.stringify(name)}`;
  const why = `User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(full)} in API group ${JSON.stringify(group)} ${where}`;
  return StatusError.of(403, 'Forbidden', `${subject} is forbidden: ${why}`, {
    ...(name === undefined ? {} : { name }),
    ...(group === '' ? {} : { group }),
    kind: resource,
  });
}
