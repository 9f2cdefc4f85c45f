// core/v1 Container: all fields, with Kubernetes' defaults and merge keys.
import {
  bool,
  type Fields,
  int,
  int64,
  intOrString,
  list,
  listBy,
  map,
  obj,
  oneOfWords,
  quantity,
  type Schema,
  str,
} from '../schema.ts';

const keySelector = (what: string): Schema =>
  obj(
    {
      name: str(`Name of the ${what}.`, { default: '' }),
      key: str('The key to read.'),
      optional: bool('True: go on without it.'),
    },
    ['key'],
  );

export const fieldReference: Schema = obj(
  {
    apiVersion: str('Schema version of the path.', { default: 'v1' }),
    fieldPath: str('Path of the field, such as status.podIP.'),
  },
  ['fieldPath'],
);
export const resourceFieldReference: Schema = obj(
  { containerName: str(), resource: str('Such as limits.cpu.'), divisor: quantity('Unit of the answer.') },
  ['resource'],
);

const envVar = obj(
  {
    name: str('Name of the variable.'),
    value: str('Its value; $(NAME) is expanded.'),
    valueFrom: obj({
      fieldRef: { ...fieldReference, description: 'A field of the pod.' },
      resourceFieldRef: { ...resourceFieldReference, description: "One of the container's resources." },
      configMapKeyRef: keySelector('ConfigMap'),
      secretKeyRef: keySelector('Secret'),
      fileKeyRef: obj({ volumeName: str(), path: str(), key: str(), optional: bool() }),
    }),
  },
  ['name'],
);

const httpGet = obj(
  {
    path: str('Path to ask for.', { default: '/' }),
    port: intOrString('Port number or name.'),
    host: str("The pod's address unless given."),
    scheme: oneOfWords(['HTTP', 'HTTPS'], 'How to connect.', { default: 'HTTP' }),
    httpHeaders: list(obj({ name: str(), value: str() }, ['name', 'value'])),
  },
  ['port'],
);
const exec = obj({ command: list(str(), 'The command line; no shell.') });
const tcpSocket = obj({ port: intOrString('Port number or name.'), host: str() }, ['port']);

export const probe: Schema = obj(
  {
    httpGet: { ...httpGet, description: 'Healthy when a GET answers 200 to 399.' },
    exec: { ...exec, description: 'Healthy when the command ends with 0.' },
    tcpSocket: { ...tcpSocket, description: 'Healthy when the port accepts.' },
    grpc: obj(
      { port: int('Port number.'), service: str('Service name to ask about.', { default: '' }) },
      ['port'],
      'Healthy by the gRPC health protocol.',
    ),
    initialDelaySeconds: int('Seconds to wait before the first probe.', { minimum: 0 }),
    timeoutSeconds: int('Seconds after which a probe has failed.', { default: 1, minimum: 0 }),
    periodSeconds: int('Seconds between probes.', { default: 10, minimum: 0 }),
    successThreshold: int('Successes in a row to count as healthy again.', { default: 1, minimum: 0 }),
    failureThreshold: int('Failures in a row to count as failed.', { default: 3, minimum: 0 }),
    terminationGracePeriodSeconds: int64('Overrides the grace period of the pod.'),
  },
  [],
  'A check of the health of a container.',
);

const lifecycleHandler = obj({ exec, httpGet, tcpSocket, sleep: obj({ seconds: int64() }, ['seconds']) });

const seccompProfile = obj({ type: str('RuntimeDefault, Unconfined or Localhost.'), localhostProfile: str() }, [
  'type',
]);
const appArmorProfile = obj({ type: str(), localhostProfile: str() }, ['type']);
const seLinuxOptions = obj({ level: str(), role: str(), type: str(), user: str() });
const windowsOptions = obj({
  gmsaCredentialSpec: str(),
  gmsaCredentialSpecName: str(),
  hostProcess: bool(),
  runAsUserName: str(),
});

const securityContext = obj(
  {
    allowPrivilegeEscalation: bool('False: no process may gain more rights than its parent.'),
    privileged: bool('True: the container may do what the host may.'),
    readOnlyRootFilesystem: bool(),
    runAsNonRoot: bool('True: refuse to start as uid 0.'),
    runAsUser: int64('The uid to run as.'),
    runAsGroup: int64('The gid to run as.'),
    procMount: str(),
    capabilities: obj({ add: list(str()), drop: list(str()) }),
    seccompProfile,
    appArmorProfile,
    seLinuxOptions,
    windowsOptions,
  },
  [],
  'Rights of the container; overrides those of the pod.',
);

export const podSecurityContext: Schema = obj({
  runAsNonRoot: bool(),
  runAsUser: int64(),
  runAsGroup: int64(),
  fsGroup: int64(),
  fsGroupChangePolicy: str(),
  supplementalGroups: list(int64()),
  supplementalGroupsPolicy: str(),
  sysctls: list(obj({ name: str(), value: str() }, ['name', 'value'])),
  seccompProfile,
  appArmorProfile,
  seLinuxOptions,
  seLinuxChangePolicy: str(),
  windowsOptions,
});

export const resources: Schema = obj(
  {
    limits: map(quantity(), 'The most the container may use.'),
    requests: map(quantity(), 'What the container needs at least.'),
    claims: listBy('name', obj({ name: str(), request: str() }, ['name'])),
  },
  [],
  'Compute resources.',
);

const containerPort = obj(
  {
    containerPort: int('Port on the address of the pod.', { minimum: 1, maximum: 65535 }),
    name: str('A name that services may refer to.'),
    protocol: oneOfWords(['TCP', 'UDP', 'SCTP'], undefined, { default: 'TCP' }),
    hostPort: int('Port on the host.', { minimum: 0, maximum: 65535 }),
    hostIP: str(),
  },
  ['containerPort'],
);

const volumeMount = obj(
  {
    name: str('Name of a volume of the pod.'),
    mountPath: str('Where the volume is seen in the container.'),
    subPath: str('A path inside the volume.'),
    subPathExpr: str('As subPath, with $(NAME) expanded.'),
    readOnly: bool(),
    recursiveReadOnly: str(),
    mountPropagation: str(),
  },
  ['name', 'mountPath'],
);

const fields: Fields = {
  name: str('Name, unique in the pod.'),
  image: str('Image to run.'),
  imagePullPolicy: oneOfWords(['Always', 'IfNotPresent', 'Never'], 'When to fetch the image.'),
  command: list(str(), "Replaces the image's entry point; $(NAME) is expanded."),
  args: list(str(), "Replaces the image's arguments; $(NAME) is expanded."),
  workingDir: str(),
  env: listBy('name', envVar, 'Environment variables.'),
  envFrom: list(
    obj({
      prefix: str('Put before each name.'),
      configMapRef: obj({ name: str(undefined, { default: '' }), optional: bool() }),
      secretRef: obj({ name: str(undefined, { default: '' }), optional: bool() }),
    }),
    'ConfigMaps and Secrets whose keys all become variables.',
  ),
  ports: listBy('containerPort', containerPort, 'Ports the container listens on.', {
    'x-kubernetes-list-map-keys': ['containerPort', 'protocol'],
  }),
  resources,
  resizePolicy: list(obj({ resourceName: str(), restartPolicy: str() }, ['resourceName', 'restartPolicy'])),
  volumeMounts: listBy('mountPath', volumeMount, 'Volumes seen in the container.'),
  volumeDevices: listBy('devicePath', obj({ name: str(), devicePath: str() }, ['name', 'devicePath'])),
  livenessProbe: { ...probe, description: 'When it fails the container is restarted.' },
  readinessProbe: { ...probe, description: 'While it fails the pod gets no traffic from services.' },
  startupProbe: { ...probe, description: 'The other probes wait until this one succeeds.' },
  lifecycle: obj({ postStart: lifecycleHandler, preStop: lifecycleHandler, stopSignal: str() }),
  securityContext,
  restartPolicy: str('Always on an init container makes it a sidecar.'),
  restartPolicyRules: list(
    obj({ action: str(), exitCodes: obj({ operator: str(), values: list(int()) }, ['operator']) }, ['action']),
  ),
  terminationMessagePath: str('File whose end is kept as the reason for ending.', { default: '/dev/termination-log' }),
  terminationMessagePolicy: oneOfWords(['File', 'FallbackToLogsOnError'], undefined, { default: 'File' }),
  stdin: bool(),
  stdinOnce: bool(),
  tty: bool(),
};

export const container: Schema = obj(fields, ['name'], 'A program that runs in a pod.');
export const ephemeralContainer: Schema = obj({ ...fields, targetContainerName: str() }, ['name']);
