// Columns that kinds with a pod template share.
import type { KubeObject } from '../object.ts';
import { record, records, strings } from './pod-template.ts';
import type { Column } from './row.ts';

const containersOf = (object: KubeObject) =>
  records(record(record(record(object['spec'])['template'])['spec'])['containers']);

/** `app=a,version in (v1,v2)`: a LabelSelector as text. */
export function selectorText(selector: unknown): string {
  const fields = record(selector);
  const equal = Object.entries(strings(fields['matchLabels'])).map(([key, value]) => `${key}=${value}`);
  const sets = records(fields['matchExpressions']).map((one) => {
    const values = Array.isArray(one['values']) ? one['values'].join(',') : '';
    switch (one['operator']) {
      case 'In':
        return `${one['key']} in (${values})`;
      case 'NotIn':
        return `${one['key']} notin (${values})`;
      case 'Exists':
        return `${one['key']}`;
      default:
        return `!${one['key']}`;
    }
  });
  return [...equal.sort(), ...sets].join(',');
}

export const templateColumns: readonly Column[] = [
  {
    name: 'Containers',
    type: 'string',
    description: 'Names of the containers of the template.',
    priority: 1,
    cell: (object) =>
      containersOf(object)
        .map((one) => one['name'])
        .join(','),
  },
  {
    name: 'Images',
    type: 'string',
    description: 'Their images.',
    priority: 1,
    cell: (object) =>
      containersOf(object)
        .map((one) => one['image'])
        .join(','),
  },
  {
    name: 'Selector',
    type: 'string',
    description: 'Which pods belong to it.',
    priority: 1,
    cell: (object) => selectorText(record(object['spec'])['selector']),
  },
];

/** An integer found under spec or status; 0 when it is not there. */
export function numberColumn(name: string, part: 'spec' | 'status', field: string, description: string): Column {
  return { name, type: 'integer', description, cell: (object) => Number(record(object[part])[field] ?? 0) };
}
