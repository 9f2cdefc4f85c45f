// core/v1 ConfigMap.
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, StatusCause } from '../../object.ts';
import { forbidden, invalid } from '../names.ts';
import { record, strings } from '../pod-template.ts';
import { ageColumn, type KindRow, nameColumn } from '../row.ts';
import { bool, map, obj, str } from '../schema.ts';

export const configMapRow: KindRow = {
  group: '',
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  schema: obj({
    data: map(str(), 'Texts by key.'),
    binaryData: map(str(undefined, { format: 'byte' }), 'Bytes by key, in base64.'),
    immutable: bool('True: the data can no longer be changed.'),
  }),
  columns: [
    nameColumn,
    {
      name: 'Data',
      type: 'string',
      description: 'How many keys it has.',
      cell: (object) => Object.keys(record(object['data'])).length + Object.keys(record(object['binaryData'])).length,
    },
    ageColumn,
  ],
  rules: {
    validate: (object, old) => [
      ...keyProblems(object, ['data', 'binaryData']),
      ...sizeProblems(object, ['data', 'binaryData']),
      ...immutableProblems(object, old, ['data', 'binaryData']),
    ],
  },
};

/** Keys become file names and variables. */
export function keyProblems(object: KubeObject, fields: readonly string[]): StatusCause[] {
  return fields.flatMap((field) =>
    Object.keys(record(object[field]))
      .filter((key) => key.length > 253 || !/^[-._a-zA-Z0-9]+$/.test(key) || /^\.\.?$|^\.\./.test(key))
      .map((key) =>
        invalid(
          `${field}[${key}]`,
          key,
          "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ),
      ),
  );
}

/** Kubernetes' limit for what one ConfigMap or Secret holds. */
const SIZE_LIMIT = 1024 * 1024;

export function sizeProblems(object: KubeObject, fields: readonly string[]): StatusCause[] {
  const values = fields.flatMap((field) => Object.values(strings(object[field])));
  const size = values.reduce((sum, value) => sum + Buffer.byteLength(value), 0);
  if (size <= SIZE_LIMIT) return [];
  return [
    {
      reason: 'FieldValueTooLong',
      field: fields[0] ?? '',
      message: `Too long: may not be more than ${SIZE_LIMIT} bytes`,
    },
  ];
}

export function immutableProblems(
  object: KubeObject,
  old: KubeObject | undefined,
  fields: readonly string[],
): StatusCause[] {
  if (old?.['immutable'] !== true) return [];
  const causes =
    object['immutable'] === true ? [] : [forbidden('immutable', 'field is immutable when `immutable` is set')];
  for (const field of fields) {
    if (!isDeepStrictEqual(record(object[field]), record(old[field])))
      causes.push(forbidden(field, 'field is immutable when `immutable` is set'));
  }
  return causes;
}
