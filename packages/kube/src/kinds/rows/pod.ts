// core/v1 Pod.
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, StatusCause } from '../../object.ts';
import { forbidden } from '../names.ts';
import { podColumns } from '../pod-columns.ts';
import { defaultPodSpec, podSpecProblems, record, records } from '../pod-template.ts';
import type { KindRow } from '../row.ts';
import { obj } from '../schema.ts';
import { podSpec, podStatus } from '../schemas/pod.ts';

const specField = (name: string) => (object: KubeObject) => String(record(object['spec'])[name] ?? '');
const statusField = (name: string) => (object: KubeObject) => String(record(object['status'])[name] ?? '');

export const podRow: KindRow = {
  group: '',
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  subresources: {
    status: true,
    log: true,
    binding: true,
    connections: {
      attach: 'PodAttachOptions',
      exec: 'PodExecOptions',
      portforward: 'PodPortForwardOptions',
      proxy: 'PodProxyOptions',
    },
  },
  schema: obj({ spec: podSpec, status: podStatus }),
  columns: podColumns,
  selectableFields: {
    'spec.nodeName': specField('nodeName'),
    'spec.restartPolicy': specField('restartPolicy'),
    'spec.schedulerName': specField('schedulerName'),
    'spec.serviceAccountName': specField('serviceAccountName'),
    'status.phase': statusField('phase'),
    'status.podIP': statusField('podIP'),
    'status.nominatedNodeName': statusField('nominatedNodeName'),
  },
  rules: {
    prepareCreate(draft) {
      const spec = record(draft['spec']);
      if (spec['serviceAccountName'] === undefined || spec['serviceAccountName'] === '') {
        spec['serviceAccountName'] = 'default';
        spec['serviceAccount'] = 'default';
      }
      defaultPodSpec(spec);
      draft['spec'] = spec;
      draft['status'] = { phase: 'Pending', qosClass: qosClass(spec) };
    },
    prepareUpdate(draft) {
      defaultPodSpec(record(draft['spec']));
    },
    validate(object, old) {
      const spec = record(object['spec']);
      const causes = podSpecProblems(spec, 'spec');
      return old === undefined ? causes : [...causes, ...changeProblems(spec, record(old['spec']))];
    },
  },
};

/** A pod's spec is fixed but for the few fields that Kubernetes lets change. */
function changeProblems(spec: Record<string, unknown>, old: Record<string, unknown>): StatusCause[] {
  if (isDeepStrictEqual(fixedPart(spec), fixedPart(old))) return [];
  return [
    forbidden(
      'spec',
      'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
    ),
  ];
}

function fixedPart(spec: Record<string, unknown>): unknown {
  const withoutImage = (containers: unknown) => records(containers).map((container) => ({ ...container, image: '' }));
  const {
    tolerations: _t,
    activeDeadlineSeconds: _a,
    terminationGracePeriodSeconds: _g,
    ephemeralContainers: _e,
    ...rest
  } = spec;
  return {
    ...rest,
    containers: withoutImage(spec['containers']),
    initContainers: withoutImage(spec['initContainers']),
  };
}

/** Guaranteed, Burstable or BestEffort, by whether requests and limits are given and equal. */
function qosClass(spec: Record<string, unknown>): string {
  const all = [...records(spec['initContainers']), ...records(spec['containers'])].map((container) =>
    record(container['resources']),
  );
  const isSet = (amounts: unknown) => Object.keys(record(amounts)).length > 0;
  if (!all.some((one) => isSet(one['limits']) || isSet(one['requests']))) return 'BestEffort';
  const guaranteed = all.every((one) => {
    const limits = record(one['limits']);
    const requests = record(one['requests']);
    return ['cpu', 'memory'].every(
      (name) => limits[name] !== undefined && limits[name] === (requests[name] ?? limits[name]),
    );
  });
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
