// The roles and bindings that every cluster begins with (k8s.io/kubernetes bootstrappolicy), in their visible part.
import { RBAC_GROUP } from '../../kinds/rows/role.ts';
import type { KubeObject } from '../../object.ts';
import type { Rule } from './rules.ts';
import { MASTERS } from './user.ts';

const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const ISTIO = ['extensions.istio.io', 'networking.istio.io', 'security.istio.io', 'telemetry.istio.io'];

/** What somebody who works in a namespace works with, by group. */
const WORK: readonly (readonly [group: string, resources: readonly string[]])[] = [
  ['', ['configmaps', 'endpoints', 'persistentvolumeclaims', 'pods', 'serviceaccounts', 'services']],
  ['apps', ['deployments', 'deployments/scale', 'replicasets', 'replicasets/scale']],
  ['autoscaling', ['horizontalpodautoscalers']],
  ['batch', ['cronjobs', 'jobs']],
  ['extensions', ['deployments', 'deployments/scale', 'ingresses']],
  ['networking.k8s.io', ['ingresses', 'networkpolicies']],
  ['policy', ['poddisruptionbudgets']],
];

const onWork = (verbs: readonly string[]): Rule[] => [
  ...WORK.map(([group, resources]) => ({ verbs, apiGroups: [group], resources })),
  { verbs, apiGroups: ISTIO, resources: ['*'] },
];

const VIEW: readonly Rule[] = [
  ...onWork(READ),
  {
    verbs: READ,
    apiGroups: [''],
    resources: ['bindings', 'events', 'limitranges', 'namespaces', 'pods/log', 'pods/status', 'resourcequotas'],
  },
  { verbs: READ, apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'] },
  { verbs: READ, apiGroups: ['metrics.k8s.io'], resources: ['pods'] },
];

const EDIT: readonly Rule[] = [
  ...VIEW,
  ...onWork(WRITE),
  { verbs: [...READ, ...WRITE], apiGroups: [''], resources: ['secrets'] },
  {
    verbs: [...READ, ...WRITE],
    apiGroups: [''],
    resources: ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'services/proxy'],
  },
  { verbs: ['create'], apiGroups: [''], resources: ['serviceaccounts/token'] },
  { verbs: ['impersonate'], apiGroups: [''], resources: ['serviceaccounts'] },
];

const ADMIN: readonly Rule[] = [
  ...EDIT,
  { verbs: [...READ, ...WRITE], apiGroups: [RBAC_GROUP], resources: ['rolebindings', 'roles'] },
  { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['localsubjectaccessreviews'] },
];

export const EVERYTHING: readonly Rule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

const ROLES: Readonly<Record<string, readonly Rule[]>> = {
  'cluster-admin': EVERYTHING,
  admin: ADMIN,
  edit: EDIT,
  view: VIEW,
  'system:basic-user': [
    {
      verbs: ['create'],
      apiGroups: ['authorization.k8s.io'],
      resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
    },
    { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
  ],
  'system:discovery': [
    {
      verbs: ['get'],
      nonResourceURLs: [
        '/',
        '/api',
        '/api/*',
        '/apis',
        '/apis/*',
        '/healthz',
        '/livez',
        '/openapi',
        '/openapi/*',
        '/readyz',
        '/version',
        '/version/',
      ],
    },
  ],
};

const BINDINGS: Readonly<Record<string, string>> = {
  'cluster-admin': MASTERS,
  'system:basic-user': 'system:authenticated',
  'system:discovery': 'system:authenticated',
};

const labels = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };

export const DEFAULT_CLUSTER_ROLES: readonly KubeObject[] = Object.entries(ROLES).map(([name, rules]) => ({
  metadata: { name, labels },
  rules,
}));

export const DEFAULT_CLUSTER_ROLE_BINDINGS: readonly KubeObject[] = Object.entries(BINDINGS).map(([name, group]) => ({
  metadata: { name, labels },
  roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name },
  subjects: [{ kind: 'Group', apiGroup: RBAC_GROUP, name: group }],
}));
