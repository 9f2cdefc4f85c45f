// networking.istio.io ServiceEntry, WorkloadEntry, WorkloadGroup and Sidecar: every field of Istio 1.29.
import { istioRow, notCarriedOut } from '../istio-row.ts';
import { pathColumn } from '../row.ts';
import { int, list, map, obj, oneOfWords, type Schema, str, uint32 } from '../schema.ts';
import { exportTo } from '../schemas/istio.ts';
import { connectionPool } from './destination-rule.ts';
import { serverTls } from './gateway.ts';

const workload = {
  address: str('Address of the workload, or a name.'),
  ports: map(uint32(), 'Ports of the workload, by the name of the service port.'),
  labels: map(str(), 'Labels of the workload.'),
  network: str(),
  locality: str('region/zone/subzone.'),
  weight: uint32('Share of the requests.'),
  serviceAccount: str('Service account of the workload.'),
};

const servicePort = obj(
  {
    number: uint32('Port number.'),
    protocol: str('HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS.'),
    name: str('Name of the port.'),
    targetPort: uint32('Port of the endpoints.'),
  },
  ['number', 'name'],
);

const selector: Schema = obj({ labels: map(str()) }, [], 'Which workloads of the namespace; all unless given.');

export const serviceEntryRow = istioRow(
  { kind: 'ServiceEntry', plural: 'serviceentries', shortNames: ['se'], notice: notCarriedOut('ServiceEntry') },
  obj(
    {
      hosts: list(str(), 'Hosts of the service.', { minItems: 1 }),
      addresses: list(str(), 'Addresses of the service.'),
      ports: list(servicePort, 'Ports of the service.', {
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
      location: oneOfWords(['MESH_EXTERNAL', 'MESH_INTERNAL'], 'Whether it belongs to the mesh.'),
      resolution: oneOfWords(
        ['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS'],
        'How addresses of the endpoints are found.',
      ),
      endpoints: list(obj(workload), 'Endpoints of the service.'),
      workloadSelector: selector,
      exportTo,
      subjectAltNames: list(str(), "Names that the server's certificate may have."),
    },
    ['hosts'],
    'A service that Kubernetes does not know.',
  ),
  [
    pathColumn('Hosts', '.spec.hosts', 'Hosts of the service.'),
    pathColumn('Location', '.spec.location', 'Whether it belongs to the mesh.'),
    pathColumn('Resolution', '.spec.resolution', 'How addresses are found.'),
  ],
);

const addressColumn = pathColumn('Address', '.spec.address', 'Address of the workload.');

export const workloadEntryRow = istioRow(
  { kind: 'WorkloadEntry', plural: 'workloadentries', shortNames: ['we'], notice: notCarriedOut('WorkloadEntry') },
  obj(workload, [], 'A workload that is no pod.'),
  [addressColumn],
);

const httpHeader = obj({ name: str(), value: str() });
const probe = obj({
  initialDelaySeconds: int(),
  timeoutSeconds: int(),
  periodSeconds: int(),
  successThreshold: int(),
  failureThreshold: int(),
  httpGet: obj({ path: str(), port: uint32(), host: str(), scheme: str(), httpHeaders: list(httpHeader) }, ['port']),
  tcpSocket: obj({ host: str(), port: uint32() }, ['port']),
  exec: obj({ command: list(str()) }),
  grpc: obj({ port: uint32(), service: str() }),
});

export const workloadGroupRow = istioRow(
  { kind: 'WorkloadGroup', plural: 'workloadgroups', shortNames: ['wg'], notice: notCarriedOut('WorkloadGroup') },
  obj(
    {
      metadata: obj({ labels: map(str()), annotations: map(str()) }),
      template: obj(workload, [], 'What the WorkloadEntries of the group are like.'),
      probe,
    },
    ['template'],
  ),
  [],
);

const listenerPort = obj({ number: uint32(), protocol: str(), name: str(), targetPort: uint32() });

export const sidecarRow = istioRow(
  { kind: 'Sidecar', plural: 'sidecars', shortNames: [], notice: notCarriedOut('Sidecar') },
  obj(
    {
      workloadSelector: selector,
      ingress: list(
        obj(
          {
            port: listenerPort,
            bind: str('Address to listen on.'),
            captureMode: oneOfWords(['DEFAULT', 'IPTABLES', 'NONE']),
            defaultEndpoint: str('Where requests go: 127.0.0.1:PORT or unix:///path.'),
            tls: serverTls,
            connectionPool,
          },
          ['port'],
        ),
        'What the sidecar listens for.',
      ),
      egress: list(
        obj(
          {
            port: listenerPort,
            bind: str(),
            captureMode: oneOfWords(['DEFAULT', 'IPTABLES', 'NONE']),
            hosts: list(str(), 'Hosts that can be reached, as namespace/name.'),
          },
          ['hosts'],
        ),
        'What the sidecar can reach.',
      ),
      inboundConnectionPool: connectionPool,
      outboundTrafficPolicy: obj({
        mode: oneOfWords(['REGISTRY_ONLY', 'ALLOW_ANY']),
        egressProxy: obj({ host: str(), subset: str(), port: obj({ number: uint32() }) }, ['host']),
      }),
    },
    [],
    'What a sidecar listens for and can reach.',
  ),
  [],
);
