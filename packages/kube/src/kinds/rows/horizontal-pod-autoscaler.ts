// autoscaling/v2 HorizontalPodAutoscaler, and v1, which knew a share of the CPU only.
import type { KubeObject, StatusCause } from '../../object.ts';
import { invalid, required } from '../names.ts';
import { record, records } from '../pod-template.ts';
import { ageColumn, type KindRow, nameColumn } from '../row.ts';
import { anything, int, int64, list, obj, type Schema, str, time } from '../schema.ts';

const scaleTargetRef = obj({ apiVersion: str(), kind: str(), name: str() }, ['kind', 'name'], 'What is scaled.');
const minReplicas = int('Fewest pods.', { default: 1 });
const maxReplicas = int('Most pods.');
const counts = { observedGeneration: int64(), lastScaleTime: time(), currentReplicas: int(), desiredReplicas: int() };

const row = (version: string, spec: Schema, status: Schema): KindRow => ({
  group: 'autoscaling',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  namespaced: true,
  versions: [version],
  storageVersion: version,
  decoding: 'native',
  notice: 'nothing is scaled by a HorizontalPodAutoscaler here yet: it is kept and shown, no more',
  subresources: { status: true },
  schema: obj({ spec, status }),
  columns: [
    nameColumn,
    {
      name: 'Reference',
      type: 'string',
      description: 'What is scaled.',
      cell: (object) => {
        const { kind, name } = record(record(object['spec'])['scaleTargetRef']);
        return `${kind}/${name}`;
      },
    },
    { name: 'Targets', type: 'string', description: 'What is aimed at.', cell: targetsText },
    specColumn('MinPods', 'minReplicas', 'Fewest pods.'),
    specColumn('MaxPods', 'maxReplicas', 'Most pods.'),
    {
      name: 'Replicas',
      type: 'integer',
      description: 'Pods now.',
      cell: (object) => record(object['status'])['currentReplicas'] ?? 0,
    },
    ageColumn,
  ],
  rules: { validate: problems },
});

function specColumn(name: string, field: string, description: string) {
  return {
    name,
    type: 'string' as const,
    description,
    cell: (object: KubeObject) => String(record(object['spec'])[field] ?? '<unset>'),
  };
}

function targetsText(object: KubeObject): string {
  const spec = record(object['spec']);
  const texts = records(spec['metrics']).map((metric) => {
    const { name, target } = record(metric['resource']);
    const share = record(target)['averageUtilization'];
    return share === undefined ? `<unknown>/<auto>` : `${name}: <unknown>/${share}%`;
  });
  const cpu = spec['targetCPUUtilizationPercentage'];
  if (cpu !== undefined) texts.push(`cpu: <unknown>/${cpu}%`);
  return texts.length === 0 ? '<none>' : texts.join(', ');
}

function problems(object: KubeObject): StatusCause[] {
  const spec = record(object['spec']);
  const [least, most] = [Number(spec['minReplicas'] ?? 1), Number(spec['maxReplicas'])];
  const causes: StatusCause[] = [];
  if (least < 1) causes.push(invalid('spec.minReplicas', least, 'must be greater than or equal to 1'));
  if (most < 1) causes.push(invalid('spec.maxReplicas', most, 'must be greater than 0'));
  else if (most < least)
    causes.push(invalid('spec.maxReplicas', most, 'must be greater than or equal to `minReplicas`'));
  if (record(spec['scaleTargetRef'])['name'] === '') causes.push(required('spec.scaleTargetRef.name'));
  return causes;
}

export const horizontalPodAutoscalerRow = row(
  'v2',
  obj(
    {
      scaleTargetRef,
      minReplicas,
      maxReplicas,
      metrics: list(
        {
          ...obj(
            {
              type: str('Resource, Pods, Object, External or ContainerResource.'),
              resource: obj({ name: str(), target: anything('What is aimed at.') }, ['name', 'target']),
            },
            ['type'],
          ),
          'x-kubernetes-preserve-unknown-fields': true,
        },
        'What decides.',
        { 'x-kubernetes-list-type': 'atomic' },
      ),
      behavior: anything('How fast it scales.'),
    },
    ['scaleTargetRef', 'maxReplicas'],
    'What is wanted.',
  ),
  obj({ ...counts, currentMetrics: list(anything()), conditions: list(anything()) }),
);

const CPU = (percent: unknown) => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } },
});

/** The share of the CPU that a metric aims at: the one kind of metric that v1 can say. */
const cpuShare = (metric: Record<string, unknown> | undefined): unknown => {
  const { name, target } = record(metric?.['resource']);
  return name === 'cpu' ? record(target)['averageUtilization'] : undefined;
};

export const legacyAutoscalerRow: KindRow = {
  ...row(
    'v1',
    obj(
      {
        scaleTargetRef,
        minReplicas,
        maxReplicas,
        targetCPUUtilizationPercentage: int('Share of the CPU, in percent.'),
      },
      ['scaleTargetRef', 'maxReplicas'],
      'What is wanted.',
    ),
    obj({ ...counts, currentCPUUtilizationPercentage: int() }),
  ),
  view: {
    of: horizontalPodAutoscalerRow,
    keep(object, current) {
      const { targetCPUUtilizationPercentage: percent, ...spec } = record(object['spec']);
      const { metrics: before, behavior } = record(current?.['spec']);
      const others = records(before).filter((metric) => cpuShare(metric) === undefined);
      const metrics = [...(percent === undefined ? [] : [CPU(percent)]), ...others];
      return {
        ...object,
        spec: {
          ...spec,
          ...(metrics.length === 0 ? {} : { metrics }),
          ...(behavior === undefined ? {} : { behavior }),
        },
      };
    },
    show(object) {
      // Kubernetes shows what v1 cannot say in an annotation; here v1 leaves it out, and a write through it leaves it be.
      const { metrics, behavior: _, ...spec } = record(object['spec']);
      const percent = cpuShare(records(metrics).find((metric) => cpuShare(metric) !== undefined));
      return {
        ...object,
        spec: { ...spec, ...(percent === undefined ? {} : { targetCPUUtilizationPercentage: percent }) },
      };
    },
  },
};
