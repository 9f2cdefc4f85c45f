// core/v1 Endpoints.
import type { KubeObject } from '../../object.ts';
import { records } from '../pod-template.ts';
import { ageColumn, type KindRow, nameColumn } from '../row.ts';
import { int, list, obj, str } from '../schema.ts';
import { objectReference } from '../schemas/meta.ts';

const address = obj({ ip: str('Address.'), hostname: str(), nodeName: str(), targetRef: objectReference }, ['ip']);

export const endpointsRow: KindRow = {
  group: '',
  kind: 'Endpoints',
  plural: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  schema: obj({
    subsets: list(
      obj({
        addresses: list(address, 'Addresses that are ready.'),
        notReadyAddresses: list(address, 'Addresses that are not.'),
        ports: list(
          obj({ name: str(), port: int(), protocol: str(undefined, { default: 'TCP' }), appProtocol: str() }, ['port']),
        ),
      }),
      'Addresses and the ports they all have.',
    ),
  }),
  columns: [
    nameColumn,
    { name: 'Endpoints', type: 'string', description: 'Addresses and ports.', cell: endpointsText },
    ageColumn,
  ],
};

/** At most three are shown, as kubectl does. */
function endpointsText(endpoints: KubeObject): string {
  const all = records(endpoints['subsets']).flatMap((subset) =>
    records(subset['addresses']).flatMap((one) => {
      const ports = records(subset['ports']);
      return ports.length === 0 ? [String(one['ip'])] : ports.map((port) => `${one['ip']}:${port['port']}`);
    }),
  );
  if (all.length === 0) return '<none>';
  return all.length <= 3 ? all.join(',') : `${all.slice(0, 3).join(',')} + ${all.length - 3} more...`;
}
