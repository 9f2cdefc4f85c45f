// Shapes of meta/v1 that every kind uses.
import { bool, int64, list, listBy, map, obj, type Schema, setOf, str, time } from '../schema.ts';

const ownerReference = obj(
  {
    apiVersion: str('API version of the owner.'),
    kind: str('Kind of the owner.'),
    name: str('Name of the owner.'),
    uid: str('UID of the owner.'),
    controller: bool('True when the owner manages this object.'),
    blockOwnerDeletion: bool('True when foreground deletion of the owner waits for this object.'),
  },
  ['apiVersion', 'kind', 'name', 'uid'],
  'Names an object that this one depends on.',
);

export const objectMeta: Schema = obj(
  {
    name: str('Name, unique among the objects of its kind in the namespace. Cannot be changed.'),
    generateName: str('Prefix from which the server makes a unique name when no name is given.'),
    namespace: str('Namespace the name is unique in. Cannot be changed.'),
    labels: map(str(), 'Keys and values to select objects by.'),
    annotations: map(str(), 'Keys and values that tools keep with the object; not for selecting.'),
    uid: str('Unique in time and space; set by the server.'),
    resourceVersion: str('Changes with every write; for optimistic concurrency and watches.'),
    generation: int64('Counts the changes of the wanted state.'),
    creationTimestamp: time('When the server created the object.'),
    deletionTimestamp: time('When the object is to be gone; set by the server on deletion.'),
    deletionGracePeriodSeconds: int64('Seconds the object has to end gracefully.'),
    finalizers: setOf(str(), 'Names that must be removed before the object really goes.'),
    ownerReferences: listBy('uid', ownerReference, 'Objects this one depends on; it goes when all of them are gone.'),
    managedFields: list(
      { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      'Who set which fields; kept of writes that name a field manager.',
    ),
    selfLink: str('No longer used.'),
  },
  [],
  'Standard object metadata.',
);

export const labelSelector: Schema = obj(
  {
    matchLabels: map(str(), 'Labels that must all be there with these values.'),
    matchExpressions: list(
      obj(
        {
          key: str('Label key.'),
          operator: str('In, NotIn, Exists or DoesNotExist.', { enum: ['In', 'NotIn', 'Exists', 'DoesNotExist'] }),
          values: list(str(), 'For In and NotIn.'),
        },
        ['key', 'operator'],
      ),
      'Requirements that must all hold.',
    ),
  },
  [],
  'Selects objects by their labels; an empty selector selects all.',
  { 'x-kubernetes-map-type': 'atomic' },
);

export const condition = (extra: Readonly<Record<string, Schema>> = {}): Schema =>
  obj(
    {
      type: str('What the condition is about.'),
      status: str('True, False or Unknown.'),
      reason: str('One word in CamelCase: why it changed last.'),
      message: str('The same for people.'),
      lastTransitionTime: time('When the status changed last.'),
      observedGeneration: int64('The generation the condition speaks of.'),
      ...extra,
    },
    ['type', 'status'],
  );

export const objectReference: Schema = obj({
  apiVersion: str(),
  kind: str(),
  namespace: str(),
  name: str(),
  uid: str(),
  resourceVersion: str(),
  fieldPath: str('Part of the object, such as spec.containers{name}.'),
});

export const localReference: Schema = obj({ name: str('Name of an object in the same namespace.', { default: '' }) });
