// security.istio.io PeerAuthentication, RequestAuthentication and AuthorizationPolicy: every field of Istio 1.29.
import { istioRow, notCarriedOut } from '../istio-row.ts';
import type { KindRow } from '../row.ts';
import { pathColumn } from '../row.ts';
import { bool, duration, list, map, obj, oneOfWords, type Schema, str } from '../schema.ts';
import { targetRef, workloadSelector } from '../schemas/istio.ts';

const targets = { selector: workloadSelector, targetRef, targetRefs: list(targetRef) };

const security = (
  kind: string,
  plural: string,
  shortName: string,
  spec: Schema,
  columns: KindRow['columns'],
): KindRow =>
  istioRow(
    {
      group: 'security.istio.io',
      kind,
      plural,
      shortNames: [shortName],
      versions: ['v1', 'v1beta1'],
      notice: notCarriedOut(kind),
    },
    spec,
    columns,
  );

const mutualTls = obj(
  { mode: oneOfWords(['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'], 'Whether callers must show a certificate.') },
  [],
  'Mutual TLS.',
);

export const peerAuthenticationRow = security(
  'PeerAuthentication',
  'peerauthentications',
  'pa',
  obj(
    {
      selector: workloadSelector,
      mtls: mutualTls,
      portLevelMtls: map(mutualTls, 'By port of the workload.'),
    },
    [],
    'How workloads accept connections.',
  ),
  [pathColumn('Mode', '.spec.mtls.mode', 'Whether callers must show a certificate.')],
);

export const requestAuthenticationRow = security(
  'RequestAuthentication',
  'requestauthentications',
  'ra',
  obj(
    {
      ...targets,
      jwtRules: list(
        obj(
          {
            issuer: str('Who issues the tokens (iss).'),
            audiences: list(str(), 'Whom the tokens may be for (aud).'),
            jwksUri: str('Where the keys are.'),
            jwks_uri: str('Use jwksUri instead.'),
            jwks: str('The keys themselves.'),
            fromHeaders: list(obj({ name: str(), prefix: str() }, ['name']), 'Headers that hold the token.'),
            fromParams: list(str(), 'Query parameters that hold the token.'),
            fromCookies: list(str(), 'Cookies that hold the token.'),
            outputPayloadToHeader: str(),
            outputClaimToHeaders: list(obj({ header: str(), claim: str() }, ['header', 'claim'])),
            forwardOriginalToken: bool('Whether the token goes on to the application.'),
            timeout: duration('Time to fetch the keys.'),
            presence: oneOfWords(['OPTIONAL', 'REQUIRED']),
            spaceDelimitedClaims: list(str()),
          },
          ['issuer'],
        ),
        'Tokens that are accepted.',
      ),
    },
    [],
    'Which tokens requests may carry.',
  ),
  [],
);

const texts = (description?: string) => list(str(), description);

const source = obj({
  principals: texts('Identities of the caller, by certificate.'),
  notPrincipals: texts(),
  requestPrincipals: texts('Identities of the request, by token: issuer/subject.'),
  notRequestPrincipals: texts(),
  namespaces: texts('Namespaces of the caller.'),
  notNamespaces: texts(),
  serviceAccounts: texts('Service accounts of the caller.'),
  notServiceAccounts: texts(),
  ipBlocks: texts('Addresses of the peer.'),
  notIpBlocks: texts(),
  remoteIpBlocks: texts('Addresses of the client, by X-Forwarded-For.'),
  notRemoteIpBlocks: texts(),
});

const operation = obj({
  hosts: texts(),
  notHosts: texts(),
  ports: texts(),
  notPorts: texts(),
  methods: texts(),
  notMethods: texts(),
  paths: texts(),
  notPaths: texts(),
});

export const authorizationPolicyRow = security(
  'AuthorizationPolicy',
  'authorizationpolicies',
  'ap',
  obj(
    {
      ...targets,
      action: oneOfWords(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM'], 'What becomes of requests that match.'),
      provider: obj({ name: str('Extension provider, for CUSTOM.') }),
      rules: list(
        obj({
          from: list(obj({ source }), 'Who calls.'),
          to: list(obj({ operation }), 'What is called.'),
          when: list(obj({ key: str(), values: texts(), notValues: texts() }, ['key']), 'Further conditions.'),
        }),
        'One that matches is enough; without any, nothing matches.',
      ),
    },
    [],
    'Who may call what.',
  ),
  [pathColumn('Action', '.spec.action', 'What becomes of requests that match.')],
);
