// Shapes that several of Istio's networking kinds use (istio.io/api networking/v1).
import {
  atMostOne,
  duration,
  intOrString,
  list,
  map,
  num,
  obj,
  oneOfWords,
  type Schema,
  str,
  time,
  uint32,
} from '../schema.ts';

export const stringMatch: Schema = obj(
  {
    exact: str('The whole value.'),
    prefix: str('How the value begins.'),
    regex: str('RE2 expression for the whole value.'),
  },
  [],
  'One of exact, prefix or regex; an empty match only asks that the value is there.',
  atMostOne('exact', 'prefix', 'regex'),
);

export const port = obj({ number: uint32('Port number.') });

export const destination: Schema = obj(
  {
    host: str('Name of a service, short or fully qualified; short names are completed with the namespace of the rule.'),
    subset: str('A subset of the service, defined by a DestinationRule.'),
    port: { ...port, description: 'Port of the service; needed when it has several.' },
  },
  ['host'],
  'Where requests go.',
);

export const percent: Schema = obj({ value: num('0 to 100.') }, [], 'A share in percent.');

const headerOperations = obj({
  set: map(str(), 'Put these in place of what is there.'),
  add: map(str(), 'Add these to what is there.'),
  remove: list(str(), 'Take these away.'),
});
export const headers: Schema = obj(
  { request: headerOperations, response: headerOperations },
  [],
  'Changes of headers.',
);

export const exportTo: Schema = list(str(), 'Namespaces that see the rule: "." its own, "*" all.');

export const workloadSelector: Schema = obj(
  { matchLabels: map(str()) },
  [],
  'Which workloads of the namespace the rule is for; all unless given.',
);

/** A Gateway, Service or the like that a policy is for, instead of workloads. */
export const targetRef: Schema = obj({ group: str(), kind: str(), name: str(), namespace: str() }, ['kind', 'name']);

/** Status of every Istio kind (istio.io/api meta/v1alpha1 IstioStatus). */
export const istioStatus: Schema = obj({
  conditions: list(
    obj({
      type: str(),
      status: str(),
      reason: str(),
      message: str(),
      lastProbeTime: time(),
      lastTransitionTime: time(),
      observedGeneration: intOrString(),
    }),
  ),
  validationMessages: list(
    obj({
      type: obj({ name: str(), code: str() }),
      level: oneOfWords(['UNKNOWN', 'ERROR', 'WARNING', 'INFO']),
      documentationUrl: str(),
    }),
  ),
  observedGeneration: intOrString(),
});

export const keepalive: Schema = obj({ probes: uint32(), time: duration(), interval: duration() });
