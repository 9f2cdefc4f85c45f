// core/v1 Service. Its addresses and node ports are given out by server/service-addresses.ts.
import type { KubeObject, StatusCause } from '../../object.ts';
import { duplicate, invalid, labelProblems, nameProblems, required } from '../names.ts';
import { portProblems, record, records, strings } from '../pod-template.ts';
import { ageColumn, type KindRow, nameColumn } from '../row.ts';
import { bool, int, intOrString, list, listBy, map, obj, oneOfWords, str } from '../schema.ts';
import { condition } from '../schemas/meta.ts';

const servicePort = obj(
  {
    name: str('Name; its prefix may tell the protocol to the mesh. Needed when there are several ports.'),
    port: int('Port of the service.'),
    targetPort: intOrString('Number or name of the port on the pods; the same as port unless given.'),
    protocol: oneOfWords(['TCP', 'UDP', 'SCTP'], undefined, { default: 'TCP' }),
    appProtocol: str('Protocol that the application speaks, such as http or grpc.'),
    nodePort: int('Port on every node, for types NodePort and LoadBalancer.', { minimum: 0, maximum: 65535 }),
  },
  ['port'],
);

export const serviceRow: KindRow = {
  group: '',
  kind: 'Service',
  plural: 'services',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  subresources: { status: true, connections: { proxy: 'ServiceProxyOptions' } },
  schema: obj({
    spec: obj(
      {
        selector: { ...map(str(), 'Labels of the pods behind the service.'), 'x-kubernetes-map-type': 'atomic' },
        ports: listBy('port', servicePort, 'Ports the service offers.', {
          'x-kubernetes-list-map-keys': ['port', 'protocol'],
        }),
        type: oneOfWords(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'], 'How the service is reached.', {
          default: 'ClusterIP',
        }),
        clusterIP: str('Address inside the cluster; None for a headless service. Cannot be changed.'),
        clusterIPs: list(str()),
        externalIPs: list(str()),
        externalName: str('For ExternalName: the DNS name that stands behind.'),
        sessionAffinity: oneOfWords(['None', 'ClientIP'], undefined, { default: 'None' }),
        sessionAffinityConfig: obj({ clientIP: obj({ timeoutSeconds: int() }) }),
        internalTrafficPolicy: oneOfWords(['Cluster', 'Local']),
        externalTrafficPolicy: oneOfWords(['Cluster', 'Local']),
        trafficDistribution: str(),
        ipFamilies: list(str()),
        ipFamilyPolicy: oneOfWords(['SingleStack', 'PreferDualStack', 'RequireDualStack']),
        publishNotReadyAddresses: bool('True: pods that are not ready are named too.'),
        loadBalancerIP: str(),
        loadBalancerClass: str(),
        loadBalancerSourceRanges: list(str()),
        allocateLoadBalancerNodePorts: bool(),
        healthCheckNodePort: int(),
      },
      [],
      'What is wanted.',
      { default: {} },
    ),
    status: obj({
      loadBalancer: obj({
        ingress: list(
          obj({
            ip: str(),
            hostname: str(),
            ipMode: str(),
            ports: list(obj({ port: int(), protocol: str(), error: str() })),
          }),
        ),
      }),
      conditions: listBy('type', condition()),
    }),
  }),
  columns: [
    nameColumn,
    {
      name: 'Type',
      type: 'string',
      description: 'How it is reached.',
      cell: (service) => record(service['spec'])['type'],
    },
    {
      name: 'Cluster-IP',
      type: 'string',
      description: 'Address inside the cluster.',
      cell: (service) => record(service['spec'])['clusterIP'] ?? '<none>',
    },
    { name: 'External-IP', type: 'string', description: 'Addresses from outside.', cell: externalAddress },
    { name: 'Port(s)', type: 'string', description: 'Ports it offers.', cell: portsText },
    ageColumn,
    {
      name: 'Selector',
      type: 'string',
      description: 'Labels of the pods behind it.',
      priority: 1,
      cell: (service) =>
        Object.entries(strings(record(service['spec'])['selector']))
          .map(([key, value]) => `${key}=${value}`)
          .sort()
          .join(',') || '<none>',
    },
  ],
  selectableFields: {
    'spec.clusterIP': (object) => String(record(object['spec'])['clusterIP'] ?? ''),
    'spec.type': (object) => String(record(object['spec'])['type'] ?? ''),
  },
  rules: {
    nameFormat: 'label1035',
    prepareCreate: (draft) => {
      setDefaults(draft);
      draft['status'] = { loadBalancer: {} };
    },
    prepareUpdate(draft, old) {
      keepGiven(record(draft['spec']), record(old['spec']));
      setDefaults(draft);
    },
    validate: problems,
  },
};

function setDefaults(draft: KubeObject): void {
  const spec = record(draft['spec']);
  for (const port of records(spec['ports'])) port['targetPort'] ??= port['port'];
  if (spec['type'] !== 'ExternalName') spec['internalTrafficPolicy'] ??= 'Cluster';
  if (spec['type'] === 'NodePort' || spec['type'] === 'LoadBalancer') spec['externalTrafficPolicy'] ??= 'Cluster';
  if (spec['type'] === 'LoadBalancer') spec['allocateLoadBalancerNodePorts'] ??= true;
  if (spec['sessionAffinity'] === 'ClientIP')
    spec['sessionAffinityConfig'] ??= { clientIP: { timeoutSeconds: 10_800 } };
}

/** A replace that leaves out what the server gave keeps it (Kubernetes: patchAllocatedValues). */
function keepGiven(spec: Record<string, unknown>, old: Record<string, unknown>): void {
  if (spec['type'] === 'ExternalName' || old['type'] === 'ExternalName') return;
  spec['clusterIP'] ||= old['clusterIP'];
  spec['clusterIPs'] ??= old['clusterIPs'];
  spec['ipFamilies'] ??= old['ipFamilies'];
  spec['ipFamilyPolicy'] ??= old['ipFamilyPolicy'];
  if (spec['type'] !== 'NodePort' && spec['type'] !== 'LoadBalancer') {
    for (const port of records(spec['ports'])) delete port['nodePort'];
    return;
  }
  const oldPorts = records(old['ports']);
  for (const port of records(spec['ports'])) {
    const before = oldPorts.find((one) => one['port'] === port['port'] && one['protocol'] === port['protocol']);
    if (before?.['nodePort'] !== undefined) port['nodePort'] ||= before['nodePort'];
  }
}

function problems(service: KubeObject, old?: KubeObject): StatusCause[] {
  const spec = record(service['spec']);
  const ports = records(spec['ports']);
  const causes: StatusCause[] = [];
  const headless = spec['clusterIP'] === 'None';
  if (ports.length === 0 && !headless && spec['type'] !== 'ExternalName') causes.push(required('spec.ports'));
  if (spec['type'] === 'ExternalName') {
    const name = String(spec['externalName'] ?? '').replace(/\.$/, '');
    if (name === '') causes.push(required('spec.externalName'));
    else causes.push(...nameProblems(name, 'subdomain').map((why) => invalid('spec.externalName', name, why)));
  }
  const names = new Set<unknown>();
  const numbers = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = `spec.ports[${index}]`;
    const name = port['name'] ?? '';
    if (name === '' && ports.length > 1) causes.push(required(`${at}.name`));
    else if (name !== '') {
      causes.push(...nameProblems(String(name), 'label').map((why) => invalid(`${at}.name`, name, why)));
      if (names.has(name)) causes.push(duplicate(`${at}.name`, name));
      names.add(name);
    }
    causes.push(...portProblems(port['port'], `${at}.port`), ...portProblems(port['targetPort'], `${at}.targetPort`));
    const number = `${port['protocol']}/${port['port']}`;
    if (numbers.has(number)) causes.push(duplicate(at, { protocol: port['protocol'], port: port['port'] }));
    numbers.add(number);
    if (Number(port['nodePort'] ?? 0) !== 0 && (spec['type'] === 'ClusterIP' || spec['type'] === 'ExternalName')) {
      causes.push({
        reason: 'FieldValueForbidden',
        field: `${at}.nodePort`,
        message: `Forbidden: may not be used when \`type\` is '${spec['type']}'`,
      });
    }
  }
  causes.push(...labelProblems(strings(spec['selector']), 'spec.selector'));
  const before = old === undefined ? undefined : record(old['spec']);
  if (
    before !== undefined &&
    spec['type'] !== 'ExternalName' &&
    before['type'] !== 'ExternalName' &&
    before['clusterIP'] !== spec['clusterIP']
  ) {
    causes.push(invalid('spec.clusterIPs[0]', [spec['clusterIP']], 'may not change once set'));
  }
  return causes;
}

function externalAddress(service: KubeObject): string {
  const spec = record(service['spec']);
  const external = Array.isArray(spec['externalIPs']) ? spec['externalIPs'] : [];
  if (spec['type'] === 'ExternalName') return String(spec['externalName'] ?? '');
  if (spec['type'] !== 'LoadBalancer') return external.length === 0 ? '<none>' : external.join(',');
  const ingress = records(record(record(service['status'])['loadBalancer'])['ingress']).map(
    (one) => one['ip'] ?? one['hostname'],
  );
  const all = [...ingress, ...external].filter((one) => one !== undefined && one !== '');
  return all.length === 0 ? '<pending>' : all.join(',');
}

function portsText(service: KubeObject): string {
  const ports = records(record(service['spec'])['ports']);
  if (ports.length === 0) return '<none>';
  return ports
    .map(
      (port) =>
        `${port['port']}${Number(port['nodePort'] ?? 0) === 0 ? '' : `:${port['nodePort']}`}/${port['protocol']}`,
    )
    .join(',');
}
