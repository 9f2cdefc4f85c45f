// core/v1 Secret. `stringData` is written as text and stored in `data` as base64.
import type { KubeObject } from '../../object.ts';
import { invalid } from '../names.ts';
import { record, strings } from '../pod-template.ts';
import { ageColumn, type KindRow, nameColumn } from '../row.ts';
import { bool, map, obj, str } from '../schema.ts';
import { immutableProblems, keyProblems, sizeProblems } from './config-map.ts';

export const secretRow: KindRow = {
  group: '',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  schema: obj({
    data: map(str(undefined, { format: 'byte' }), 'Values by key, in base64.'),
    stringData: map(str(), 'Values by key as text; only for writing.'),
    type: str('What the secret is for.', { default: 'Opaque' }),
    immutable: bool('True: the data can no longer be changed.'),
  }),
  columns: [
    nameColumn,
    { name: 'Type', type: 'string', description: 'What it is for.', cell: (secret) => secret['type'] },
    {
      name: 'Data',
      type: 'string',
      description: 'How many keys it has.',
      cell: (secret) => Object.keys(record(secret['data'])).length,
    },
    ageColumn,
  ],
  selectableFields: { type: (secret) => String(secret['type'] ?? '') },
  rules: {
    prepareCreate: foldText,
    prepareUpdate: foldText,
    validate(secret, old) {
      const causes = [
        ...keyProblems(secret, ['data']),
        ...sizeProblems(secret, ['data']),
        ...immutableProblems(secret, old, ['data']),
      ];
      for (const [key, value] of Object.entries(strings(secret['data']))) {
        // Never print the value: it is a secret even when it is wrong.
        if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(value) || value.replace(/\s/g, '').length % 4 !== 0) {
          causes.push(
            invalid(
              `data[${key}]`,
              '<secret contents redacted>',
              'must be base64; put plain text under stringData instead',
            ),
          );
        }
      }
      if (old !== undefined && old['type'] !== secret['type'])
        causes.push(invalid('type', secret['type'], 'field is immutable'));
      return causes;
    },
  },
};

function foldText(draft: KubeObject): void {
  const text = strings(draft['stringData']);
  delete draft['stringData'];
  if (Object.keys(text).length === 0) return;
  const encoded = Object.entries(text).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
  draft['data'] = { ...record(draft['data']), ...Object.fromEntries(encoded) };
}
