// Kinds that are created only to be answered: who am I, may I, and OpenShift's way to ask for a namespace.
import { type KindRow, nameColumn } from '../row.ts';
import { bool, type Fields, int64, list, map, obj, type Schema, str, time } from '../schema.ts';

const transient = (
  group: string,
  kind: string,
  schema: Schema,
  more: Partial<Pick<KindRow, 'namespaced' | 'plural'>> = {},
): KindRow => ({
  group,
  kind,
  plural: `${kind.toLowerCase()}s`,
  namespaced: false,
  ...more,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  transient: true,
  schema,
  columns: [nameColumn],
});

const AUTHORIZATION = 'authorization.k8s.io';
const AUTHENTICATION = 'authentication.k8s.io';

const attributes: Fields = {
  resourceAttributes: obj(
    {
      namespace: str('Namespace; "" is all of them, or none.'),
      verb: str('get, list, create and so on, or "*".'),
      group: str(),
      version: str(),
      resource: str('Such as pods, or "*".'),
      subresource: str(),
      name: str('Name of the object; all unless given.'),
      fieldSelector: obj({ rawSelector: str() }),
      labelSelector: obj({ rawSelector: str() }),
    },
    [],
    'What would be done to which objects.',
  ),
  nonResourceAttributes: obj({ path: str(), verb: str() }, [], 'What would be done to a path that is no resource.'),
};

const decision = obj({ allowed: bool(), denied: bool(), reason: str(), evaluationError: str() });
const userInfo = obj({ username: str(), uid: str(), groups: list(str()), extra: map(list(str())) });

export const selfSubjectAccessReviewRow = transient(
  AUTHORIZATION,
  'SelfSubjectAccessReview',
  obj({ spec: obj(attributes), status: decision }, ['spec']),
);

const subjectAccess = obj(
  {
    spec: obj({ ...attributes, user: str(), uid: str(), groups: list(str()), extra: map(list(str())) }),
    status: decision,
  },
  ['spec'],
);
export const subjectAccessReviewRow = transient(AUTHORIZATION, 'SubjectAccessReview', subjectAccess);
export const localSubjectAccessReviewRow = transient(AUTHORIZATION, 'LocalSubjectAccessReview', subjectAccess, {
  namespaced: true,
});

export const selfSubjectRulesReviewRow = transient(
  AUTHORIZATION,
  'SelfSubjectRulesReview',
  obj(
    {
      spec: obj({ namespace: str('Namespace the rules are wanted for.') }),
      status: obj({
        resourceRules: list(
          obj({ verbs: list(str()), apiGroups: list(str()), resources: list(str()), resourceNames: list(str()) }),
        ),
        nonResourceRules: list(obj({ verbs: list(str()), nonResourceURLs: list(str()) })),
        incomplete: bool(),
        evaluationError: str(),
      }),
    },
    ['spec'],
  ),
);

export const selfSubjectReviewRow = transient(AUTHENTICATION, 'SelfSubjectReview', obj({ status: obj({ userInfo }) }));

export const tokenReviewRow = transient(
  AUTHENTICATION,
  'TokenReview',
  obj(
    {
      spec: obj({ token: str(), audiences: list(str()) }),
      status: obj({ authenticated: bool(), user: userInfo, audiences: list(str()), error: str() }),
    },
    ['spec'],
  ),
);

/** Body and answer of serviceaccounts/NAME/token; no resource of its own. */
export const tokenRequestSchema: Schema = obj({
  apiVersion: str(),
  kind: str(),
  spec: obj({
    audiences: list(str('Whom the token is for.')),
    expirationSeconds: int64('How long it is good.', { default: 3600 }),
    boundObjectRef: obj({ kind: str(), apiVersion: str(), name: str(), uid: str() }),
  }),
  status: obj({ token: str(), expirationTimestamp: time() }),
});

export const projectRequestRow = transient(
  'project.openshift.io',
  'ProjectRequest',
  obj({ displayName: str('The name for people.'), description: str() }),
);
