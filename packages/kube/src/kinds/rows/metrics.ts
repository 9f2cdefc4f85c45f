// metrics.k8s.io/v1beta1: what pods and nodes use right now (`kubectl top`), measured when it is asked for.
import { record, records } from '../pod-template.ts';
import { type KindRow, nameColumn, pathColumn } from '../row.ts';
import { list, map, obj, str } from '../schema.ts';

const usage = map(str(), 'cpu in cores, memory in bytes, both as Kubernetes writes quantities.');
const common = {
  group: 'metrics.k8s.io',
  versions: ['v1beta1'],
  storageVersion: 'v1beta1',
  decoding: 'native',
  measured: true,
} as const;
const window = pathColumn('Window', '.window', 'The time over which CPU was measured.');
const taken = { timestamp: str(), window: str() };

export const podMetricsRow: KindRow = {
  ...common,
  kind: 'PodMetrics',
  plural: 'pods',
  singular: '',
  namespaced: true,
  schema: obj({ ...taken, containers: list(obj({ name: str(), usage }), 'One entry for each container.') }),
  columns: [
    nameColumn,
    ...(['cpu', 'memory'] as const).map((name) => ({
      name: name === 'cpu' ? 'CPU' : 'Memory',
      type: 'string' as const,
      description: 'What each container uses.',
      cell: (object: Parameters<typeof nameColumn.cell>[0]) =>
        records(object['containers'])
          .map((container) => record(container['usage'])[name])
          .join(','),
    })),
    window,
  ],
};

export const nodeMetricsRow: KindRow = {
  ...common,
  kind: 'NodeMetrics',
  plural: 'nodes',
  singular: '',
  namespaced: false,
  schema: obj({ ...taken, usage }),
  columns: [
    nameColumn,
    pathColumn('CPU', '.usage.cpu', 'What everything on the node uses.'),
    pathColumn('Memory', '.usage.memory', 'What everything on the node uses.'),
    window,
  ],
};
