// core/v1 PodSpec (all fields), PodTemplateSpec and PodStatus.
import { bool, int, int64, list, listBy, map, obj, oneOfWords, quantity, type Schema, str, time } from '../schema.ts';
import { container, ephemeralContainer, podSecurityContext, resources } from './container.ts';
import { condition, labelSelector, localReference, objectMeta } from './meta.ts';
import { volume } from './volume.ts';

const nodeRequirement = obj(
  { key: str(), operator: str('In, NotIn, Exists, DoesNotExist, Gt or Lt.'), values: list(str()) },
  ['key', 'operator'],
);
const nodeTerm = obj({ matchExpressions: list(nodeRequirement), matchFields: list(nodeRequirement) });
const podTerm = obj(
  {
    labelSelector,
    namespaceSelector: labelSelector,
    namespaces: list(str()),
    topologyKey: str(),
    matchLabelKeys: list(str()),
    mismatchLabelKeys: list(str()),
  },
  ['topologyKey'],
);
const podAffinity = obj({
  requiredDuringSchedulingIgnoredDuringExecution: list(podTerm),
  preferredDuringSchedulingIgnoredDuringExecution: list(
    obj({ weight: int(), podAffinityTerm: podTerm }, ['weight', 'podAffinityTerm']),
  ),
});
const affinity = obj({
  nodeAffinity: obj({
    requiredDuringSchedulingIgnoredDuringExecution: obj({ nodeSelectorTerms: list(nodeTerm) }, ['nodeSelectorTerms']),
    preferredDuringSchedulingIgnoredDuringExecution: list(
      obj({ weight: int(), preference: nodeTerm }, ['weight', 'preference']),
    ),
  }),
  podAffinity,
  podAntiAffinity: podAffinity,
});

export const podSpec: Schema = obj(
  {
    containers: listBy('name', container, 'The programs of the pod; at least one.'),
    initContainers: listBy('name', container, 'Programs that run, one after the other, before the containers.'),
    ephemeralContainers: listBy('name', ephemeralContainer, 'Programs added to a running pod for debugging.'),
    volumes: listBy('name', volume, 'Storage the containers may mount.', {
      'x-kubernetes-patch-strategy': 'merge,retainKeys',
    }),
    restartPolicy: oneOfWords(['Always', 'OnFailure', 'Never'], 'What to do when a container ends.', {
      default: 'Always',
    }),
    terminationGracePeriodSeconds: int64('Seconds between the signal to end and the kill.', { default: 30 }),
    activeDeadlineSeconds: int64('Seconds the pod may run at most.'),
    dnsPolicy: oneOfWords(['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'], undefined, {
      default: 'ClusterFirst',
    }),
    dnsConfig: obj({
      nameservers: list(str()),
      searches: list(str()),
      options: list(obj({ name: str(), value: str() })),
    }),
    nodeSelector: map(str(), 'Labels the node must have.'),
    nodeName: str('The node that runs the pod; set by whoever schedules it.'),
    serviceAccountName: str('The identity of the pod.'),
    serviceAccount: str('Old name of serviceAccountName.'),
    automountServiceAccountToken: bool(),
    hostNetwork: bool(),
    hostPID: bool(),
    hostIPC: bool(),
    hostUsers: bool(),
    shareProcessNamespace: bool(),
    securityContext: { ...podSecurityContext, default: {} },
    imagePullSecrets: listBy('name', localReference),
    hostname: str(),
    hostnameOverride: str(),
    subdomain: str(),
    setHostnameAsFQDN: bool(),
    affinity,
    schedulerName: str(undefined, { default: 'default-scheduler' }),
    schedulingGates: listBy('name', obj({ name: str() }, ['name'])),
    tolerations: list(obj({ key: str(), operator: str(), value: str(), effect: str(), tolerationSeconds: int64() })),
    topologySpreadConstraints: listBy(
      'topologyKey',
      obj(
        {
          maxSkew: int(),
          topologyKey: str(),
          whenUnsatisfiable: str(),
          labelSelector,
          matchLabelKeys: list(str()),
          minDomains: int(),
          nodeAffinityPolicy: str(),
          nodeTaintsPolicy: str(),
        },
        ['maxSkew', 'topologyKey', 'whenUnsatisfiable'],
      ),
    ),
    hostAliases: listBy('ip', obj({ ip: str(), hostnames: list(str()) }, ['ip']), 'Extra lines for /etc/hosts.'),
    priorityClassName: str(),
    priority: int(),
    preemptionPolicy: str(),
    readinessGates: list(obj({ conditionType: str() }, ['conditionType'])),
    runtimeClassName: str(),
    enableServiceLinks: bool(undefined, { default: true }),
    overhead: map(quantity()),
    os: obj({ name: str() }, ['name']),
    resources,
    resourceClaims: listBy(
      'name',
      obj({ name: str(), resourceClaimName: str(), resourceClaimTemplateName: str() }, ['name']),
    ),
  },
  ['containers'],
  'What the pod is to be.',
);

export const podTemplate: Schema = obj({ metadata: objectMeta, spec: podSpec }, [], 'The pods to create.');

const containerState = obj({
  waiting: obj({ reason: str(), message: str() }),
  running: obj({ startedAt: time() }),
  terminated: obj(
    {
      exitCode: int(),
      signal: int(),
      reason: str(),
      message: str(),
      startedAt: time(),
      finishedAt: time(),
      containerID: str(),
    },
    ['exitCode'],
  ),
});

const containerStatus = obj(
  {
    name: str(),
    state: containerState,
    lastState: containerState,
    ready: bool('True when its readiness probe succeeds.'),
    started: bool(),
    restartCount: int('How often it was restarted.'),
    image: str(),
    imageID: str(),
    containerID: str(),
    resources,
    allocatedResources: map(quantity()),
    allocatedResourcesStatus: list({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true }),
    stopSignal: str(),
    user: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    volumeMounts: list(
      obj({ name: str(), mountPath: str(), readOnly: bool(), recursiveReadOnly: str() }, ['name', 'mountPath']),
    ),
  },
  ['name'],
);

export const podStatus: Schema = obj(
  {
    phase: str('Pending, Running, Succeeded, Failed or Unknown.'),
    conditions: listBy('type', condition({ lastProbeTime: { ...time(), nullable: true } })),
    message: str(),
    reason: str(),
    nominatedNodeName: str(),
    hostIP: str(),
    hostIPs: listBy('ip', obj({ ip: str() }, ['ip'])),
    podIP: str('Address of the pod.'),
    podIPs: listBy('ip', obj({ ip: str() }, ['ip'])),
    startTime: time(),
    initContainerStatuses: list(containerStatus),
    containerStatuses: list(containerStatus),
    ephemeralContainerStatuses: list(containerStatus),
    qosClass: str(),
    resize: str(),
    observedGeneration: int64(),
    resourceClaimStatuses: listBy('name', obj({ name: str(), resourceClaimName: str() }, ['name'])),
  },
  [],
  'What the pod is.',
);
