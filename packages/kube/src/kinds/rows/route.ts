// route.openshift.io/v1 Route: where a service is reached from outside.
import type { KubeObject } from '../../object.ts';
import { record, records } from '../pod-template.ts';
import { ageColumn, type Column, type KindRow, nameColumn } from '../row.ts';
import { int, intOrString, list, map, obj, str, time } from '../schema.ts';

const backend = obj(
  {
    kind: str(undefined, { default: 'Service' }),
    name: str('Name of the service.'),
    weight: int(undefined, { default: 100 }),
  },
  ['name'],
);

const text = (name: string, description: string, read: (spec: Record<string, unknown>) => unknown): Column => ({
  name,
  type: 'string',
  description,
  cell: (route) => String(read(record(route['spec'])) ?? ''),
});

export const routeRow: KindRow = {
  group: 'route.openshift.io',
  kind: 'Route',
  plural: 'routes',
  categories: ['all'],
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  subresources: { status: true },
  schema: obj(
    {
      spec: obj(
        {
          host: str('Name, and here the port too, under which the service is reached.'),
          subdomain: str(),
          path: str('Only requests whose path begins with this.'),
          to: backend,
          alternateBackends: list(backend),
          port: obj({ targetPort: intOrString() }, ['targetPort']),
          tls: obj({
            termination: str('edge, passthrough or reencrypt.'),
            certificate: str(),
            key: str(),
            caCertificate: str(),
            destinationCACertificate: str(),
            insecureEdgeTerminationPolicy: str(),
            externalCertificate: obj({ name: str() }),
          }),
          wildcardPolicy: str(undefined, { default: 'None' }),
          httpHeaders: obj({ actions: obj({ request: list(map(str())), response: list(map(str())) }) }),
        },
        ['to'],
        'What is wanted.',
      ),
      status: obj({
        ingress: list(
          obj({
            host: str(),
            routerName: str(),
            routerCanonicalHostname: str(),
            wildcardPolicy: str(),
            conditions: list(
              obj({ type: str(), status: str(), reason: str(), message: str(), lastTransitionTime: time() }, [
                'type',
                'status',
              ]),
            ),
          }),
        ),
      }),
    },
    ['spec'],
  ),
  columns: [
    nameColumn,
    { name: 'Host/Port', type: 'string', description: 'Where it is reached.', cell: hostText },
    text('Path', 'Path it is for.', (spec) => spec['path']),
    text('Services', 'Services behind it.', (spec) =>
      [spec['to'], ...records(spec['alternateBackends'])].map((one) => record(one)['name']).join(','),
    ),
    text('Port', 'Port of the service.', (spec) => record(spec['port'])['targetPort'] ?? '<all>'),
    text('Termination', 'Where TLS ends.', (spec) => record(spec['tls'])['termination']),
    text('Wildcard', 'Whether subdomains belong to it.', (spec) => spec['wildcardPolicy'] ?? 'None'),
    ageColumn,
  ],
};

function hostText(route: KubeObject): string {
  const admitted = records(record(route['status'])['ingress']).map((one) => one['host']);
  return String(record(route['spec'])['host'] ?? admitted[0] ?? '');
}
