// Field numbers of a pod's spec (k8s.io/api core/v1 generated.proto).
import {
  bool,
  boolPointer,
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
} from './protobuf-fields.ts';

export const localReference: Message = { 1: text('name') };
const optionalReference: Message = { 1: inline(localReference), 2: boolPointer('optional') };
const keyReference: Message = { 1: inline(localReference), 2: text('key'), 3: boolPointer('optional') };
const keysToPaths = many('items', { 1: text('key'), 2: text('path'), 3: intPointer('mode') });

const envVar: Message = {
  1: text('name'),
  2: text('value'),
  3: one('valueFrom', {
    1: one('fieldRef', { 1: text('apiVersion'), 2: text('fieldPath') }),
    2: one('resourceFieldRef', {
      1: text('containerName'),
      2: text('resource'),
      3: { name: 'divisor', type: 'quantity' },
    }),
    3: one('configMapKeyRef', keyReference),
    4: one('secretKeyRef', keyReference),
  }),
};

const handler: Message = {
  1: one('exec', { 1: texts('command') }),
  2: one('httpGet', {
    1: text('path'),
    2: intOrString('port'),
    3: text('host'),
    4: text('scheme'),
    5: many('httpHeaders', { 1: text('name'), 2: text('value') }),
  }),
  3: one('tcpSocket', { 1: intOrString('port'), 2: text('host') }),
  4: one('grpc', { 1: int('port'), 2: text('service') }),
};

const probe = (name: string) =>
  one(name, {
    1: inline(handler),
    2: int('initialDelaySeconds'),
    3: int('timeoutSeconds'),
    4: int('periodSeconds'),
    5: int('successThreshold'),
    6: int('failureThreshold'),
    7: intPointer('terminationGracePeriodSeconds'),
  });

const container: Message = {
  1: text('name'),
  2: text('image'),
  3: texts('command'),
  4: texts('args'),
  5: text('workingDir'),
  6: many('ports', {
    1: text('name'),
    2: int('hostPort'),
    3: int('containerPort'),
    4: text('protocol'),
    5: text('hostIP'),
  }),
  7: many('env', envVar),
  8: one('resources', { 1: map('limits', 'quantity'), 2: map('requests', 'quantity') }),
  9: many('volumeMounts', {
    1: text('name'),
    2: bool('readOnly'),
    3: text('mountPath'),
    4: text('subPath'),
    6: text('subPathExpr'),
  }),
  10: probe('livenessProbe'),
  11: probe('readinessProbe'),
  13: text('terminationMessagePath'),
  14: text('imagePullPolicy'),
  15: one('securityContext', {
    1: one('capabilities', { 1: texts('add'), 2: texts('drop') }),
    2: boolPointer('privileged'),
    4: intPointer('runAsUser'),
    5: boolPointer('runAsNonRoot'),
    6: boolPointer('readOnlyRootFilesystem'),
    7: boolPointer('allowPrivilegeEscalation'),
    8: intPointer('runAsGroup'),
  }),
  16: bool('stdin'),
  17: bool('stdinOnce'),
  18: bool('tty'),
  19: many('envFrom', {
    1: text('prefix'),
    2: one('configMapRef', optionalReference),
    3: one('secretRef', optionalReference),
  }),
  20: text('terminationMessagePolicy'),
  22: probe('startupProbe'),
};

const volume: Message = {
  1: text('name'),
  2: inline({
    1: one('hostPath', { 1: text('path'), 2: text('type') }),
    2: one('emptyDir', { 1: text('medium'), 2: { name: 'sizeLimit', type: 'quantity' } }),
    6: one('secret', {
      1: text('secretName'),
      2: keysToPaths,
      3: intPointer('defaultMode'),
      4: boolPointer('optional'),
    }),
    10: one('persistentVolumeClaim', { 1: text('claimName'), 2: bool('readOnly') }),
    19: one('configMap', {
      1: inline(localReference),
      2: keysToPaths,
      3: intPointer('defaultMode'),
      4: boolPointer('optional'),
    }),
  }),
};

export const podSpec: Message = {
  1: many('volumes', volume),
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
  14: one('securityContext', {
    2: intPointer('runAsUser'),
    3: boolPointer('runAsNonRoot'),
    5: intPointer('fsGroup'),
    6: intPointer('runAsGroup'),
  }),
  15: many('imagePullSecrets', localReference),
  16: text('hostname'),
  17: text('subdomain'),
  19: text('schedulerName'),
  20: many('initContainers', container),
  21: boolPointer('automountServiceAccountToken'),
  24: text('priorityClassName'),
  25: intPointer('priority'),
  27: boolPointer('shareProcessNamespace'),
  30: boolPointer('enableServiceLinks'),
  31: text('preemptionPolicy'),
  35: boolPointer('setHostnameAsFQDN'),
};
