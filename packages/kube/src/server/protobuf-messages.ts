// Field numbers of the Kubernetes messages that kubectl's own create commands send (k8s.io/api generated.proto).
import {
  bool,
  boolPointer,
  type Field,
  inline,
  int,
  intOrString,
  intPointer,
  type Message,
  many,
  map,
  one,
  text,
  texts,
  time,
} from './protobuf-fields.ts';
import { localReference, podSpec } from './protobuf-pod.ts';

const ownerReference: Message = {
  1: text('kind'),
  3: text('name'),
  4: text('uid'),
  5: text('apiVersion'),
  6: boolPointer('controller'),
  7: boolPointer('blockOwnerDeletion'),
};

const metadata = one('metadata', {
  1: text('name'),
  2: text('generateName'),
  3: text('namespace'),
  4: text('selfLink'),
  5: text('uid'),
  6: text('resourceVersion'),
  7: int('generation'),
  8: time('creationTimestamp'),
  9: time('deletionTimestamp'),
  10: intPointer('deletionGracePeriodSeconds'),
  11: map('labels'),
  12: map('annotations'),
  13: many('ownerReferences', ownerReference),
  14: texts('finalizers'),
});

const labelSelector: Message = {
  1: map('matchLabels'),
  2: many('matchExpressions', { 1: text('key'), 2: text('operator'), 3: texts('values') }),
};

const objectReference: Message = {
  1: text('kind'),
  2: text('namespace'),
  3: text('name'),
  4: text('uid'),
  5: text('apiVersion'),
  6: text('resourceVersion'),
  7: text('fieldPath'),
};
const servicePort: Message = {
  1: text('name'),
  2: text('protocol'),
  3: int('port'),
  4: intOrString('targetPort'),
  5: int('nodePort'),
  6: text('appProtocol'),
};

const serviceSpec: Message = {
  1: many('ports', servicePort),
  2: map('selector'),
  3: text('clusterIP'),
  4: text('type'),
  5: texts('externalIPs'),
  7: text('sessionAffinity'),
  8: text('loadBalancerIP'),
  9: texts('loadBalancerSourceRanges'),
  10: text('externalName'),
  11: text('externalTrafficPolicy'),
  12: int('healthCheckNodePort'),
  13: bool('publishNotReadyAddresses'),
  17: text('ipFamilyPolicy'),
  18: texts('clusterIPs'),
  19: texts('ipFamilies'),
  20: boolPointer('allocateLoadBalancerNodePorts'),
  21: text('loadBalancerClass'),
  22: text('internalTrafficPolicy'),
  23: text('trafficDistribution'),
};

const deploymentSpec: Message = {
  1: intPointer('replicas'),
  2: one('selector', labelSelector),
  3: one('template', { 1: metadata, 2: one('spec', podSpec) }),
  4: one('strategy', {
    1: text('type'),
    2: one('rollingUpdate', { 1: intOrString('maxUnavailable'), 2: intOrString('maxSurge') }),
  }),
  5: int('minReadySeconds'),
  6: intPointer('revisionHistoryLimit'),
  7: bool('paused'),
  9: intPointer('progressDeadlineSeconds'),
};

/** A status that a creator sends is empty, and would be dropped anyway. */
const status: Field = { name: 'status', type: 'left out' };

const jobSpec: Message = {
  1: intPointer('parallelism'),
  2: intPointer('completions'),
  3: intPointer('activeDeadlineSeconds'),
  4: one('selector', labelSelector),
  5: boolPointer('manualSelector'),
  6: one('template', { 1: metadata, 2: one('spec', podSpec) }),
  7: intPointer('backoffLimit'),
  8: intPointer('ttlSecondsAfterFinished'),
  9: text('completionMode'),
  10: boolPointer('suspend'),
  14: text('podReplacementPolicy'),
};

const typedReference: Message = { 1: text('apiGroup'), 2: text('kind'), 3: text('name') };

const ingressBackend: Message = {
  3: one('resource', typedReference),
  4: one('service', { 1: text('name'), 2: one('port', { 1: text('name'), 2: int('number') }) }),
};

const ingressRule: Message = {
  1: text('host'),
  2: inline({
    1: one('http', {
      1: many('paths', { 1: text('path'), 2: one('backend', ingressBackend), 3: text('pathType') }),
    }),
  }),
};

const rules = many('rules', {
  1: texts('verbs'),
  2: texts('apiGroups'),
  3: texts('resources'),
  4: texts('resourceNames'),
  5: texts('nonResourceURLs'),
});

const binding: Message = {
  1: metadata,
  2: many('subjects', { 1: text('kind'), 2: text('apiGroup'), 3: text('name'), 4: text('namespace') }),
  3: one('roleRef', { 1: text('apiGroup'), 2: text('kind'), 3: text('name') }),
};

const accessAttributes: Message = {
  1: one('resourceAttributes', {
    1: text('namespace'),
    2: text('verb'),
    3: text('group'),
    4: text('version'),
    5: text('resource'),
    6: text('subresource'),
    7: text('name'),
  }),
  2: one('nonResourceAttributes', { 1: text('path'), 2: text('verb') }),
};

const scaleTarget = one('scaleTargetRef', { 1: text('kind'), 2: text('name'), 3: text('apiVersion') });

/** Resource metrics; `kubectl autoscale` makes no others. */
const metricSpec: Message = {
  1: text('type'),
  4: one('resource', {
    1: text('name'),
    2: one('target', {
      1: text('type'),
      2: { name: 'value', type: 'quantity' },
      3: { name: 'averageValue', type: 'quantity' },
      4: intPointer('averageUtilization'),
    }),
  }),
};

/** By apiVersion and kind, and the envelope and small types by name. */
export const MESSAGES = {
  Unknown: {
    1: one('typeMeta', { 1: text('apiVersion'), 2: text('kind') }),
    2: { name: 'raw', type: 'bytes' },
    3: text('contentEncoding'),
    4: text('contentType'),
  },
  Time: { 1: int('seconds'), 2: int('nanos') },
  IntOrString: { 1: int('type'), 2: int('int'), 3: text('text') },
  Quantity: { 1: text('text') },
  DeleteOptions: {
    1: intPointer('gracePeriodSeconds'),
    2: one('preconditions', { 1: text('uid'), 2: text('resourceVersion') }),
    3: boolPointer('orphanDependents'),
    4: text('propagationPolicy'),
    5: texts('dryRun'),
  },
  'v1.Namespace': { 1: metadata, 2: one('spec', { 1: texts('finalizers') }), 3: status },
  'v1.ConfigMap': { 1: metadata, 2: map('data'), 3: map('binaryData', 'base64'), 4: boolPointer('immutable') },
  'v1.Secret': {
    1: metadata,
    2: map('data', 'base64'),
    3: text('type'),
    4: map('stringData'),
    5: boolPointer('immutable'),
  },
  'v1.ServiceAccount': {
    1: metadata,
    2: many('secrets', objectReference),
    3: many('imagePullSecrets', localReference),
    4: boolPointer('automountServiceAccountToken'),
  },
  'v1.Service': { 1: metadata, 2: one('spec', serviceSpec), 3: status },
  'apps/v1.Deployment': {
    1: metadata,
    2: one('spec', deploymentSpec),
    3: status,
  },
  'v1.ResourceQuota': {
    1: metadata,
    2: one('spec', { 1: map('hard', 'quantity'), 2: texts('scopes') }),
    3: status,
  },
  'batch/v1.Job': { 1: metadata, 2: one('spec', jobSpec), 3: status },
  'batch/v1.CronJob': {
    1: metadata,
    2: one('spec', {
      1: text('schedule'),
      2: intPointer('startingDeadlineSeconds'),
      3: text('concurrencyPolicy'),
      4: boolPointer('suspend'),
      5: one('jobTemplate', { 1: metadata, 2: one('spec', jobSpec) }),
      6: intPointer('successfulJobsHistoryLimit'),
      7: intPointer('failedJobsHistoryLimit'),
      8: text('timeZone'),
    }),
    3: status,
  },
  'networking.k8s.io/v1.Ingress': {
    1: metadata,
    2: one('spec', {
      1: one('defaultBackend', ingressBackend),
      2: many('tls', { 1: texts('hosts'), 2: text('secretName') }),
      3: many('rules', ingressRule),
      4: text('ingressClassName'),
    }),
    3: status,
  },
  'rbac.authorization.k8s.io/v1.Role': { 1: metadata, 2: rules },
  'rbac.authorization.k8s.io/v1.ClusterRole': {
    1: metadata,
    2: rules,
    3: one('aggregationRule', { 1: many('clusterRoleSelectors', labelSelector) }),
  },
  'rbac.authorization.k8s.io/v1.RoleBinding': binding,
  'rbac.authorization.k8s.io/v1.ClusterRoleBinding': binding,
  'policy/v1.PodDisruptionBudget': {
    1: metadata,
    2: one('spec', {
      1: intOrString('minAvailable'),
      2: one('selector', labelSelector),
      3: intOrString('maxUnavailable'),
    }),
    3: status,
  },
  'scheduling.k8s.io/v1.PriorityClass': {
    1: metadata,
    2: int('value'),
    3: bool('globalDefault'),
    4: text('description'),
    5: text('preemptionPolicy'),
  },
  'autoscaling/v1.HorizontalPodAutoscaler': {
    1: metadata,
    2: one('spec', {
      1: scaleTarget,
      2: intPointer('minReplicas'),
      3: int('maxReplicas'),
      4: intPointer('targetCPUUtilizationPercentage'),
    }),
    3: status,
  },
  'autoscaling/v2.HorizontalPodAutoscaler': {
    1: metadata,
    2: one('spec', {
      1: scaleTarget,
      2: intPointer('minReplicas'),
      3: int('maxReplicas'),
      4: many('metrics', metricSpec),
    }),
    3: status,
  },
  'authentication.k8s.io/v1.SelfSubjectReview': { 1: metadata, 2: status },
  'authentication.k8s.io/v1.TokenRequest': {
    1: metadata,
    2: one('spec', {
      1: texts('audiences'),
      3: one('boundObjectRef', { 1: text('kind'), 2: text('apiVersion'), 3: text('name'), 4: text('uid') }),
      4: intPointer('expirationSeconds'),
    }),
    3: status,
  },
  'authorization.k8s.io/v1.SelfSubjectAccessReview': { 1: metadata, 2: one('spec', accessAttributes), 3: status },
  'authorization.k8s.io/v1.SelfSubjectRulesReview': {
    1: metadata,
    2: one('spec', { 1: text('namespace') }),
    3: status,
  },
} as const satisfies Readonly<Record<string, Message>>;
