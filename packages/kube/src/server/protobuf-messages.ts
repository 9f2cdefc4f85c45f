// Field numbers of the Kubernetes messages that kubectl's own create commands send (k8s.io/api generated.proto).

type Scalar = 'string' | 'base64' | 'bytes' | 'bool' | 'int' | 'time' | 'intOrString' | 'quantity';

type FieldType =
  | { readonly type: Scalar }
  | { readonly type: 'map'; readonly values: { readonly type: Scalar } }
  | { readonly type: 'message'; readonly message: () => Message };

export type Field = FieldType & {
  readonly name: string;
  readonly repeated?: boolean;
  /** A pointer in Go: its zero means something. Other fields' zeros mean "not set". */
  readonly pointer?: boolean;
};
export type Message = Readonly<Record<number, Field>>;

const text = (name: string): Field => ({ name, type: 'string' });
const texts = (name: string): Field => ({ name, type: 'string', repeated: true });
const bool = (name: string): Field => ({ name, type: 'bool' });
const int = (name: string): Field => ({ name, type: 'int' });
const boolPointer = (name: string): Field => ({ name, type: 'bool', pointer: true });
const intPointer = (name: string): Field => ({ name, type: 'int', pointer: true });
const time = (name: string): Field => ({ name, type: 'time' });
const intOrString = (name: string): Field => ({ name, type: 'intOrString' });
const map = (name: string, values: Scalar = 'string'): Field => ({ name, type: 'map', values: { type: values } });
const one = (name: string, message: Message): Field => ({ name, type: 'message', message: () => message });
const many = (name: string, message: Message): Field => ({
  name,
  type: 'message',
  message: () => message,
  repeated: true,
});

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
const localReference: Message = { 1: text('name') };

const containerPort: Message = {
  1: text('name'),
  2: int('hostPort'),
  3: int('containerPort'),
  4: text('protocol'),
  5: text('hostIP'),
};

const container: Message = {
  1: text('name'),
  2: text('image'),
  3: texts('command'),
  4: texts('args'),
  5: text('workingDir'),
  6: many('ports', containerPort),
  7: many('env', { 1: text('name'), 2: text('value') }),
  8: one('resources', { 1: map('limits', 'quantity'), 2: map('requests', 'quantity') }),
  13: text('terminationMessagePath'),
  14: text('imagePullPolicy'),
  16: bool('stdin'),
  17: bool('stdinOnce'),
  18: bool('tty'),
  20: text('terminationMessagePolicy'),
};

const podSpec: Message = {
  2: many('containers', container),
  3: text('restartPolicy'),
  4: intPointer('terminationGracePeriodSeconds'),
  5: intPointer('activeDeadlineSeconds'),
  6: text('dnsPolicy'),
  7: map('nodeSelector'),
  8: text('serviceAccountName'),
  9: text('serviceAccount'),
  10: text('nodeName'),
  11: bool('hostNetwork'),
  12: bool('hostPID'),
  13: bool('hostIPC'),
  15: many('imagePullSecrets', localReference),
  16: text('hostname'),
  17: text('subdomain'),
  19: text('schedulerName'),
  20: many('initContainers', container),
  21: boolPointer('automountServiceAccountToken'),
  24: text('priorityClassName'),
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
const emptyStatus = one('status', { 1: one('loadBalancer', {}) });

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
  'v1.Namespace': { 1: metadata, 2: one('spec', { 1: texts('finalizers') }), 3: one('status', { 1: text('phase') }) },
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
  'v1.Service': { 1: metadata, 2: one('spec', serviceSpec), 3: emptyStatus },
  'apps/v1.Deployment': {
    1: metadata,
    2: one('spec', deploymentSpec),
    3: one('status', {
      1: int('observedGeneration'),
      2: int('replicas'),
      3: int('updatedReplicas'),
      4: int('availableReplicas'),
      5: int('unavailableReplicas'),
      7: int('readyReplicas'),
    }),
  },
} as const satisfies Readonly<Record<string, Message>>;
