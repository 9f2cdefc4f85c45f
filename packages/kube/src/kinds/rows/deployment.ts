// apps/v1 Deployment.
import { isDeepStrictEqual } from 'node:util';
import { invalid } from '../names.ts';
import { defaultPodSpec, record, workloadProblems } from '../pod-template.ts';
import { ageColumn, type KindRow, nameColumn } from '../row.ts';
import { bool, int, int64, intOrString, listBy, obj, oneOfWords, str, time } from '../schema.ts';
import { condition, labelSelector } from '../schemas/meta.ts';
import { podTemplate } from '../schemas/pod.ts';
import { numberColumn, templateColumns } from '../workload-columns.ts';

export const deploymentRow: KindRow = {
  group: 'apps',
  kind: 'Deployment',
  plural: 'deployments',
  shortNames: ['deploy'],
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
        selector: {
          ...labelSelector,
          description: "Selects the deployment's pods; must match the template's labels and cannot be changed.",
        },
        template: podTemplate,
        strategy: obj(
          {
            type: oneOfWords(['RollingUpdate', 'Recreate'], 'How old pods are replaced by new ones.', {
              default: 'RollingUpdate',
            }),
            rollingUpdate: obj({
              maxUnavailable: intOrString('Pods that may be missing meanwhile.'),
              maxSurge: intOrString('Pods that there may be too many meanwhile.'),
            }),
          },
          [],
          'How old pods are replaced by new ones.',
          { default: {}, 'x-kubernetes-patch-strategy': 'retainKeys' },
        ),
        minReadySeconds: int('Seconds a pod must be ready to count as available.', { minimum: 0 }),
        revisionHistoryLimit: int('Old ReplicaSets to keep.', { default: 10, minimum: 0 }),
        progressDeadlineSeconds: int('Seconds without progress after which the rollout has failed.', {
          default: 600,
          minimum: 0,
        }),
        paused: bool('True: changes of the template wait.'),
      },
      ['selector', 'template'],
      'What is wanted.',
    ),
    status: obj(
      {
        observedGeneration: int64(),
        replicas: int(),
        updatedReplicas: int(),
        readyReplicas: int(),
        availableReplicas: int(),
        unavailableReplicas: int(),
        terminatingReplicas: int(),
        collisionCount: int(),
        conditions: listBy('type', condition({ lastUpdateTime: time(), message: str() })),
      },
      [],
      'What is.',
    ),
  }),
  columns: [
    nameColumn,
    {
      name: 'Ready',
      type: 'string',
      description: 'Ready pods of wanted ones.',
      cell: (object) => `${record(object['status'])['readyReplicas'] ?? 0}/${record(object['spec'])['replicas'] ?? 0}`,
    },
    numberColumn('Up-to-date', 'status', 'updatedReplicas', 'Pods of the newest template.'),
    numberColumn('Available', 'status', 'availableReplicas', 'Pods that have been ready long enough.'),
    ageColumn,
    ...templateColumns,
  ],
  rules: {
    prepareCreate: setDefaults,
    prepareUpdate: setDefaults,
    validate(object, old) {
      const spec = record(object['spec']);
      const causes = workloadProblems(spec);
      if (old !== undefined && !isDeepStrictEqual(spec['selector'], record(old['spec'])['selector'])) {
        causes.push(invalid('spec.selector', spec['selector'], 'field is immutable'));
      }
      const strategy = record(spec['strategy']);
      if (strategy['type'] === 'Recreate' && strategy['rollingUpdate'] !== undefined) {
        causes.push({
          reason: 'FieldValueForbidden',
          field: 'spec.strategy.rollingUpdate',
          message: "Forbidden: may not be specified when strategy `type` is 'Recreate'",
        });
      }
      return causes;
    },
  },
};

function setDefaults(draft: Record<string, unknown>): void {
  const spec = record(draft['spec']);
  const strategy = record(spec['strategy']);
  if (strategy['type'] === 'RollingUpdate') {
    strategy['rollingUpdate'] = { maxUnavailable: '25%', maxSurge: '25%', ...record(strategy['rollingUpdate']) };
  }
  defaultPodSpec(record(record(spec['template'])['spec']));
}
