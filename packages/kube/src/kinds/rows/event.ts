// core/v1 Event, also served as events.k8s.io/v1 is in Kubernetes; here the core form only.
import type { KubeObject } from '../../object.ts';
import { ageOf } from '../human-duration.ts';
import { record } from '../pod-template.ts';
import type { KindRow } from '../row.ts';
import { int, obj, str, time } from '../schema.ts';
import { objectReference } from '../schemas/meta.ts';

const involved = (field: string) => (event: KubeObject) => String(record(event['involvedObject'])[field] ?? '');
const own = (field: string) => (event: KubeObject) => String(event[field] ?? '');

const lastSeen = (event: KubeObject): unknown =>
  record(event['series'])['lastObservedTime'] ??
  event['lastTimestamp'] ??
  event['eventTime'] ??
  event.metadata?.creationTimestamp;

export const eventRow: KindRow = {
  group: '',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  schema: obj(
    {
      involvedObject: { ...objectReference, description: 'What the event is about.' },
      reason: str('Why, in one word.'),
      message: str('Why, for people.'),
      type: str('Normal or Warning.'),
      source: obj({ component: str(), host: str() }, [], 'Who reported it.'),
      firstTimestamp: { ...time(), nullable: true },
      lastTimestamp: { ...time(), nullable: true },
      count: int('How often it happened.'),
      eventTime: { ...time(), nullable: true },
      series: obj({ count: int(), lastObservedTime: time() }),
      action: str(),
      related: objectReference,
      reportingComponent: str(undefined, { default: '' }),
      reportingInstance: str(undefined, { default: '' }),
    },
    ['involvedObject'],
  ),
  columns: [
    {
      name: 'Last Seen',
      type: 'string',
      description: 'When it happened last.',
      cell: (event, now) => ageOf(lastSeen(event), now),
    },
    { name: 'Type', type: 'string', description: 'Normal or Warning.', cell: own('type') },
    { name: 'Reason', type: 'string', description: 'Why, in one word.', cell: own('reason') },
    {
      name: 'Object',
      type: 'string',
      description: 'What it is about.',
      cell: (event) => `${involved('kind')(event).toLowerCase()}/${involved('name')(event)}`,
    },
    { name: 'Subobject', type: 'string', description: 'Which part of it.', priority: 1, cell: involved('fieldPath') },
    {
      name: 'Source',
      type: 'string',
      description: 'Who reported it.',
      priority: 1,
      cell: (event) => {
        const { component, host } = record(event['source']);
        return [component ?? event['reportingComponent'], host]
          .filter((one) => one !== undefined && one !== '')
          .join(', ');
      },
    },
    {
      name: 'Message',
      type: 'string',
      description: 'Why, for people.',
      cell: (event) => String(event['message'] ?? '').trim(),
    },
    {
      name: 'First Seen',
      type: 'string',
      description: 'When it happened first.',
      priority: 1,
      cell: (event, now) => ageOf(event['firstTimestamp'] ?? event['eventTime'], now),
    },
    {
      name: 'Count',
      type: 'string',
      description: 'How often it happened.',
      priority: 1,
      cell: (event) => Number(record(event['series'])['count'] ?? event['count'] ?? 1),
    },
    {
      name: 'Name',
      type: 'string',
      format: 'name',
      description: 'Name of the event.',
      priority: 1,
      cell: (event) => event.metadata?.name ?? '',
    },
  ],
  selectableFields: {
    'involvedObject.kind': involved('kind'),
    'involvedObject.namespace': involved('namespace'),
    'involvedObject.name': involved('name'),
    'involvedObject.uid': involved('uid'),
    'involvedObject.apiVersion': involved('apiVersion'),
    'involvedObject.resourceVersion': involved('resourceVersion'),
    'involvedObject.fieldPath': involved('fieldPath'),
    reason: own('reason'),
    reportingComponent: own('reportingComponent'),
    source: (event) => String(record(event['source'])['component'] ?? ''),
    type: own('type'),
  },
};
