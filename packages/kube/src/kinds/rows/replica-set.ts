// apps/v1 ReplicaSet.
import { isDeepStrictEqual } from 'node:util';
import { invalid } from '../names.ts';
import { defaultPodSpec, record, workloadProblems } from '../pod-template.ts';
import { ageColumn, type KindRow, nameColumn } from '../row.ts';
import { int, int64, listBy, obj } from '../schema.ts';
import { condition, labelSelector } from '../schemas/meta.ts';
import { podTemplate } from '../schemas/pod.ts';
import { numberColumn, templateColumns } from '../workload-columns.ts';

const setDefaults = (draft: Record<string, unknown>): void => {
  defaultPodSpec(record(record(record(draft['spec'])['template'])['spec']));
};

export const replicaSetRow: KindRow = {
  group: 'apps',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  shortNames: ['rs'],
  categories: ['all'],
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  subresources: {
    status: true,
    scale: {
      specReplicasPath: '.spec.replicas',
      statusReplicasPath: '.status.replicas',
      labelSelectorPath: '.spec.selector',
    },
  },
  schema: obj({
    spec: obj(
      {
        replicas: int('How many pods there should be.', { default: 1, minimum: 0 }),
        selector: { ...labelSelector, description: 'Selects its pods; cannot be changed.' },
        template: podTemplate,
        minReadySeconds: int('Seconds a pod must be ready to count as available.', { minimum: 0 }),
      },
      ['selector'],
      'What is wanted.',
    ),
    status: obj({
      observedGeneration: int64(),
      replicas: int(),
      fullyLabeledReplicas: int(),
      readyReplicas: int(),
      availableReplicas: int(),
      terminatingReplicas: int(),
      conditions: listBy('type', condition()),
    }),
  }),
  columns: [
    nameColumn,
    numberColumn('Desired', 'spec', 'replicas', 'Wanted pods.'),
    numberColumn('Current', 'status', 'replicas', 'Pods there are.'),
    numberColumn('Ready', 'status', 'readyReplicas', 'Pods that are ready.'),
    ageColumn,
    ...templateColumns,
  ],
  selectableFields: { 'status.replicas': (object) => String(record(object['status'])['replicas'] ?? 0) },
  rules: {
    prepareCreate: setDefaults,
    prepareUpdate: setDefaults,
    validate(object, old) {
      const spec = record(object['spec']);
      const causes = workloadProblems(spec);
      if (old !== undefined && !isDeepStrictEqual(spec['selector'], record(old['spec'])['selector'])) {
        causes.push(invalid('spec.selector', spec['selector'], 'field is immutable'));
      }
      return causes;
    },
  },
};
