// gateway.networking.k8s.io: the Gateway API's kinds, with the fields that say what goes where.
import { type Column, type KindRow, pathColumn } from '../row.ts';
import { anything, int, list, obj, type Schema, str } from '../schema.ts';
import { openObject, storedRow } from '../stored-row.ts';

const kind = (
  name: string,
  plural: string,
  versions: readonly string[],
  spec: Schema,
  columns: readonly Column[],
  more: Partial<Pick<KindRow, 'shortNames' | 'namespaced'>> = {},
): KindRow =>
  storedRow(
    {
      group: 'gateway.networking.k8s.io',
      kind: name,
      plural,
      categories: ['gateway-api'],
      versions,
      notice: `the mesh does not carry out the Gateway API's ${name} yet: use Istio's Gateway and VirtualService`,
      ...more,
    },
    spec,
    columns,
  );

const parentRefs = list(
  obj({ group: str(), kind: str(), namespace: str(), name: str(), sectionName: str(), port: int() }, ['name']),
  'Gateways or services that apply the routes.',
);
const backendRefs = list(
  openObject({ group: str(), kind: str(), namespace: str(), name: str(), port: int(), weight: int() }, ['name']),
  'Where it goes, by weight.',
);
const hostnames = list(str(), 'Hosts the routes are for.');
const hostnamesColumn = pathColumn('Hostnames', '.spec.hostnames', 'Hosts the routes are for.');

const route = (name: string, plural: string, versions: readonly string[], named: boolean): KindRow =>
  kind(
    name,
    plural,
    versions,
    openObject({
      parentRefs,
      ...(named ? { hostnames } : {}),
      rules: list(
        openObject({ name: str(), matches: list(anything()), filters: list(anything()), backendRefs }),
        'The routes.',
      ),
    }),
    named ? [hostnamesColumn] : [],
  );

export const gatewayClassRow = kind(
  'GatewayClass',
  'gatewayclasses',
  ['v1', 'v1beta1'],
  openObject({ controllerName: str('Who serves Gateways of the class.'), description: str() }, ['controllerName']),
  [
    pathColumn('Controller', '.spec.controllerName', 'Who serves it.'),
    pathColumn('Accepted', '.status.conditions[?(@.type=="Accepted")].status', 'Whether it is taken.'),
  ],
  { shortNames: ['gc'], namespaced: false },
);

export const apiGatewayRow = kind(
  'Gateway',
  'gateways',
  ['v1', 'v1beta1'],
  openObject(
    {
      gatewayClassName: str('Class of the gateway.'),
      listeners: list(
        openObject({ name: str(), hostname: str(), port: int(), protocol: str() }, ['name', 'port', 'protocol']),
        'What it listens for.',
      ),
    },
    ['gatewayClassName', 'listeners'],
  ),
  [
    pathColumn('Class', '.spec.gatewayClassName', 'Class of the gateway.'),
    pathColumn('Address', '.status.addresses[*].value', 'Where it is reached.'),
    pathColumn('Programmed', '.status.conditions[?(@.type=="Programmed")].status', 'Whether it is in force.'),
  ],
  { shortNames: ['gtw'] },
);

export const httpRouteRow = route('HTTPRoute', 'httproutes', ['v1', 'v1beta1'], true);
export const grpcRouteRow = route('GRPCRoute', 'grpcroutes', ['v1'], true);
export const tcpRouteRow = route('TCPRoute', 'tcproutes', ['v1alpha2'], false);
export const tlsRouteRow = route('TLSRoute', 'tlsroutes', ['v1', 'v1alpha2'], true);

const grant = (fields: Readonly<Record<string, Schema>>, required: readonly string[]) => list(obj(fields, required));
export const referenceGrantRow = kind(
  'ReferenceGrant',
  'referencegrants',
  ['v1beta1'],
  obj(
    {
      from: grant({ group: str(), kind: str(), namespace: str() }, ['group', 'kind', 'namespace']),
      to: grant({ group: str(), kind: str(), name: str() }, ['group', 'kind']),
    },
    ['from', 'to'],
  ),
  [],
  { shortNames: ['refgrant'] },
);
