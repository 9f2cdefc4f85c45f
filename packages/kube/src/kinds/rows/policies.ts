// Kinds that set limits on others, none of which are enforced: PodDisruptionBudget, NetworkPolicy, ResourceQuota,
// LimitRange and PriorityClass.
import { isRecord } from '../conform.ts';
import { record } from '../pod-template.ts';
import { ageColumn, type Column, type KindRow, nameColumn, pathColumn } from '../row.ts';
import { anything, bool, int, int64, intOrString, list, map, obj, quantity, type Schema, str } from '../schema.ts';
import { condition, labelSelector } from '../schemas/meta.ts';
import { selectorText } from '../workload-columns.ts';

function policyRow(
  names: Pick<KindRow, 'group' | 'kind' | 'plural'> & Partial<Pick<KindRow, 'shortNames' | 'namespaced'>>,
  notice: string,
  schema: Schema,
  columns: readonly Column[],
): KindRow {
  const hasStatus = schema.properties?.['status'] !== undefined;
  return {
    namespaced: true,
    ...names,
    versions: ['v1'],
    storageVersion: 'v1',
    decoding: 'native',
    notice,
    ...(hasStatus ? { subresources: { status: true } } : {}),
    schema,
    columns: [nameColumn, ...columns, ageColumn],
  };
}

const orNotThere = (name: string, path: string, description: string): Column => {
  const column = pathColumn(name, path, description);
  return { ...column, cell: (object, now) => column.cell(object, now) || 'N/A' };
};

export const podDisruptionBudgetRow = policyRow(
  { group: 'policy', kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets', shortNames: ['pdb'] },
  'a PodDisruptionBudget is not enforced here',
  obj({
    spec: obj({
      minAvailable: intOrString('Pods that must stay, as a number or a share.'),
      maxUnavailable: intOrString('Pods that may be missing, as a number or a share.'),
      selector: labelSelector,
      unhealthyPodEvictionPolicy: str(),
    }),
    status: obj({
      observedGeneration: int64(),
      currentHealthy: int(),
      desiredHealthy: int(),
      disruptionsAllowed: int(),
      expectedPods: int(),
      disruptedPods: map(str()),
      conditions: list(condition()),
    }),
  }),
  [
    orNotThere('Min Available', '.spec.minAvailable', 'Pods that must stay.'),
    orNotThere('Max Unavailable', '.spec.maxUnavailable', 'Pods that may be missing.'),
    {
      name: 'Allowed Disruptions',
      type: 'integer',
      description: 'Pods that may go now.',
      cell: (budget) => record(budget['status'])['disruptionsAllowed'] ?? 0,
    },
  ],
);

const networkRules = (peers: 'from' | 'to') =>
  list(
    obj({
      [peers]: list(
        obj({
          podSelector: labelSelector,
          namespaceSelector: labelSelector,
          ipBlock: obj({ cidr: str(), except: list(str()) }, ['cidr']),
        }),
      ),
      ports: list(obj({ protocol: str(undefined, { default: 'TCP' }), port: intOrString(), endPort: int() })),
    }),
    'What is let through; nothing unless given.',
  );

export const networkPolicyRow = policyRow(
  { group: 'networking.k8s.io', kind: 'NetworkPolicy', plural: 'networkpolicies', shortNames: ['netpol'] },
  'a NetworkPolicy is not enforced here: every pod reaches every other',
  obj({
    spec: obj({
      podSelector: labelSelector,
      policyTypes: list(str()),
      ingress: networkRules('from'),
      egress: networkRules('to'),
    }),
  }),
  [
    {
      name: 'Pod-Selector',
      type: 'string',
      description: 'Pods it is for.',
      cell: (policy) => selectorText(record(policy['spec'])['podSelector']) || '<none>',
    },
  ],
);

export const resourceQuotaRow = policyRow(
  { group: '', kind: 'ResourceQuota', plural: 'resourcequotas', shortNames: ['quota'] },
  'a ResourceQuota is not enforced here',
  obj({
    spec: obj({ hard: map(quantity(), 'Most of each resource.'), scopes: list(str()), scopeSelector: anything() }),
    status: obj({ hard: map(quantity()), used: map(quantity()) }),
  }),
  [
    {
      name: 'Request',
      type: 'string',
      description: 'Used of what is allowed.',
      cell: (quota) => {
        const { hard, used } = record(quota['status']);
        return isRecord(hard)
          ? Object.entries(hard)
              .map(([name, most]) => `${name}: ${record(used)[name] ?? 0}/${most}`)
              .join(', ')
          : '';
      },
    },
  ],
);

export const limitRangeRow = policyRow(
  { group: '', kind: 'LimitRange', plural: 'limitranges', shortNames: ['limits'] },
  'a LimitRange is not enforced here',
  obj({
    spec: obj({
      limits: list(
        obj(
          {
            type: str('Pod, Container or PersistentVolumeClaim.'),
            max: map(quantity()),
            min: map(quantity()),
            default: map(quantity()),
            defaultRequest: map(quantity()),
            maxLimitRequestRatio: map(quantity()),
          },
          ['type'],
        ),
      ),
    }),
  }),
  [],
);

export const priorityClassRow = policyRow(
  {
    group: 'scheduling.k8s.io',
    kind: 'PriorityClass',
    plural: 'priorityclasses',
    shortNames: ['pc'],
    namespaced: false,
  },
  'priorities have no effect here: there is one node and nothing is preempted',
  obj({
    value: int('Higher goes first.'),
    globalDefault: bool(),
    description: str(),
    preemptionPolicy: str(undefined, { default: 'PreemptLowerPriority' }),
  }),
  [
    pathColumn('Value', '.value', 'Higher goes first.', 'integer'),
    {
      name: 'Global-Default',
      type: 'boolean',
      description: 'Whether pods without a class have it.',
      cell: (one) => one['globalDefault'] === true,
    },
  ],
);
