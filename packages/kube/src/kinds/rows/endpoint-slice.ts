// discovery.k8s.io/v1 EndpointSlice.
import type { KubeObject } from '../../object.ts';
import { records } from '../pod-template.ts';
import { ageColumn, type KindRow, nameColumn, pathColumn } from '../row.ts';
import { bool, int, list, map, obj, oneOfWords, str } from '../schema.ts';
import { objectReference } from '../schemas/meta.ts';

export const endpointSliceRow: KindRow = {
  group: 'discovery.k8s.io',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  schema: obj(
    {
      addressType: oneOfWords(['IPv4', 'IPv6', 'FQDN'], 'What the addresses are.'),
      endpoints: list(
        obj(
          {
            addresses: list(str(), 'Addresses of the endpoint; the first counts.'),
            conditions: obj({ ready: bool(), serving: bool(), terminating: bool() }),
            hostname: str(),
            nodeName: str(),
            zone: str(),
            targetRef: objectReference,
            hints: obj({
              forZones: list(obj({ name: str() }, ['name'])),
              forNodes: list(obj({ name: str() }, ['name'])),
            }),
            deprecatedTopology: map(str()),
          },
          ['addresses'],
        ),
        'Who stands behind the service.',
        { nullable: true },
      ),
      ports: list(
        obj({
          name: str(undefined, { default: '' }),
          port: int(),
          protocol: str(undefined, { default: 'TCP' }),
          appProtocol: str(),
        }),
        'Ports that all of them have.',
      ),
    },
    ['addressType'],
  ),
  columns: [
    nameColumn,
    pathColumn('AddressType', '.addressType', 'What the addresses are.'),
    {
      name: 'Ports',
      type: 'string',
      description: 'Ports of the endpoints.',
      cell: (slice) =>
        some(
          records(slice['ports']).map((one) => String(one['port'] ?? '*')),
          '<unset>',
        ),
    },
    {
      name: 'Endpoints',
      type: 'string',
      description: 'Addresses of the endpoints.',
      cell: (slice: KubeObject) =>
        some(
          records(slice['endpoints']).flatMap((one) =>
            Array.isArray(one['addresses']) ? one['addresses'].map(String) : [],
          ),
          '<unset>',
        ),
    },
    ageColumn,
  ],
};

function some(texts: readonly string[], none: string): string {
  if (texts.length === 0) return none;
  return texts.length <= 3 ? texts.join(',') : `${texts.slice(0, 3).join(',')} + ${texts.length - 3} more...`;
}
