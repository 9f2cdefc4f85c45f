// core/v1 Node.
import type { KubeObject } from '../../object.ts';
import { record, records, strings } from '../pod-template.ts';
import { ageColumn, type Column, type KindRow, nameColumn } from '../row.ts';
import { anything, bool, int, list, listBy, map, obj, quantity, str, time } from '../schema.ts';
import { condition } from '../schemas/meta.ts';

const info = (name: string, field: string, description: string): Column => ({
  name,
  type: 'string',
  description,
  priority: name === 'Version' ? 0 : 1,
  cell: (node) => record(record(node['status'])['nodeInfo'])[field] ?? '<unknown>',
});

const address = (name: string, type: string): Column => ({
  name,
  type: 'string',
  description: `The ${type} of the node.`,
  priority: 1,
  cell: (node) =>
    records(record(node['status'])['addresses']).find((one) => one['type'] === type)?.['address'] ?? '<none>',
});

export const nodeRow: KindRow = {
  group: '',
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  namespaced: false,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  subresources: { status: true },
  schema: obj({
    spec: obj({
      podCIDR: str('Addresses its pods get.'),
      podCIDRs: list(str(), undefined, { 'x-kubernetes-patch-strategy': 'merge' }),
      providerID: str(),
      unschedulable: bool('True: no new pods.'),
      taints: list(obj({ key: str(), value: str(), effect: str(), timeAdded: time() }, ['key', 'effect'])),
      configSource: anything(),
      externalID: str(),
    }),
    status: obj({
      capacity: map(quantity()),
      allocatable: map(quantity()),
      phase: str(),
      conditions: listBy('type', condition({ lastHeartbeatTime: time() })),
      addresses: listBy('type', obj({ type: str(), address: str() }, ['type', 'address'])),
      nodeInfo: map(str(), 'What the node runs on.'),
      images: list(obj({ names: list(str()), sizeBytes: { ...int(), format: 'int64' } })),
      daemonEndpoints: obj({ kubeletEndpoint: obj({ Port: int() }, ['Port']) }),
      volumesInUse: list(str()),
      volumesAttached: list(obj({ name: str(), devicePath: str() }, ['name', 'devicePath'])),
      runtimeHandlers: list(anything()),
      features: anything(),
      config: anything(),
    }),
  }),
  columns: [
    nameColumn,
    { name: 'Status', type: 'string', description: 'Whether it can run pods.', cell: statusText },
    { name: 'Roles', type: 'string', description: 'From its labels.', cell: rolesText },
    ageColumn,
    info('Version', 'kubeletVersion', 'Version of the node agent.'),
    address('Internal-IP', 'InternalIP'),
    address('External-IP', 'ExternalIP'),
    info('OS-Image', 'osImage', 'Operating system.'),
    info('Kernel-Version', 'kernelVersion', 'Kernel.'),
    info('Container-Runtime', 'containerRuntimeVersion', 'What runs the containers.'),
  ],
  rules: { keepsStatusOnCreate: true },
  selectableFields: { 'spec.unschedulable': (node) => String(record(node['spec'])['unschedulable'] ?? false) },
};

function statusText(node: KubeObject): string {
  const ready = records(record(node['status'])['conditions']).find((one) => one['type'] === 'Ready');
  const word = ready === undefined ? 'Unknown' : ready['status'] === 'True' ? 'Ready' : 'NotReady';
  return record(node['spec'])['unschedulable'] === true ? `${word},SchedulingDisabled` : word;
}

function rolesText(node: KubeObject): string {
  const prefix = 'node-role.kubernetes.io/';
  const roles = Object.keys(strings(node.metadata?.labels))
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length));
  return roles.length === 0 ? '<none>' : roles.sort().join(',');
}
