// core/v1 PersistentVolumeClaim and PersistentVolume, and storage.k8s.io/v1 StorageClass.
import { record } from '../pod-template.ts';
import { ageColumn, type Column, type KindRow, nameColumn, pathColumn } from '../row.ts';
import { anything, bool, list, map, obj, quantity, str } from '../schema.ts';
import { condition, labelSelector, objectReference } from '../schemas/meta.ts';

const accessModes = list(str(), 'ReadWriteOnce, ReadOnlyMany, ReadWriteMany or ReadWriteOncePod.');
const dataSource = obj({ apiGroup: str(), kind: str(), name: str(), namespace: str() });

/** A claim's spec; StatefulSets and Tekton have it as a template. */
export const claimSpec = obj(
  {
    accessModes,
    selector: labelSelector,
    resources: obj({ limits: map(quantity()), requests: map(quantity()) }),
    volumeName: str('The volume that the claim is bound to.'),
    storageClassName: str('StorageClass of the volume.'),
    volumeMode: str('Filesystem or Block.', { default: 'Filesystem' }),
    dataSource,
    dataSourceRef: dataSource,
    volumeAttributesClassName: str(),
  },
  [],
  'What volume is wanted.',
);

const MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

const modesColumn = (part: 'spec' | 'status'): Column => ({
  name: 'Access Modes',
  type: 'string',
  description: 'How the volume may be mounted.',
  cell: (object) => {
    const modes = record(object[part])['accessModes'];
    return Array.isArray(modes) ? modes.map((mode) => MODES[String(mode)] ?? mode).join(',') : '';
  },
});

export const persistentVolumeClaimRow: KindRow = {
  group: '',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  shortNames: ['pvc'],
  namespaced: true,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  notice: 'a claim is a directory of this machine: its size and class are not looked at',
  subresources: { status: true },
  schema: obj({
    spec: claimSpec,
    status: obj({
      phase: str('Pending, Bound or Lost.'),
      accessModes,
      capacity: map(quantity()),
      conditions: list(condition()),
      allocatedResources: map(quantity()),
    }),
  }),
  columns: [
    nameColumn,
    pathColumn('Status', '.status.phase', 'Pending, Bound or Lost.'),
    pathColumn('Volume', '.spec.volumeName', 'The volume it is bound to.'),
    pathColumn('Capacity', '.status.capacity.storage', 'Size of the volume.'),
    modesColumn('status'),
    pathColumn('StorageClass', '.spec.storageClassName', 'StorageClass of the volume.'),
    pathColumn('VolumeAttributesClass', '.spec.volumeAttributesClassName', 'Class of its attributes.'),
    ageColumn,
    pathColumn('VolumeMode', '.spec.volumeMode', 'Filesystem or Block.', 'string', 1),
  ],
  rules: {
    // The directory is made when a pod mounts it; nothing else has to be found for the claim.
    prepareCreate(draft) {
      const spec = record(draft['spec']);
      spec['volumeName'] ??= `pvc-${draft.metadata?.uid ?? ''}`;
      draft['status'] = {
        phase: 'Bound',
        accessModes: spec['accessModes'] ?? [],
        capacity: record(spec['resources'])['requests'] ?? {},
      };
    },
  },
};

export const persistentVolumeRow: KindRow = {
  group: '',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  shortNames: ['pv'],
  namespaced: false,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  notice: 'a PersistentVolume is not used here: every claim has a directory of its own',
  subresources: { status: true },
  schema: obj({
    spec: {
      ...obj({
        capacity: map(quantity()),
        accessModes,
        claimRef: objectReference,
        persistentVolumeReclaimPolicy: str('Retain, Recycle or Delete.', { default: 'Retain' }),
        storageClassName: str(),
        volumeMode: str('Filesystem or Block.', { default: 'Filesystem' }),
        mountOptions: list(str()),
      }),
      // Where the bytes are: one of two dozen sources, none of which is used.
      'x-kubernetes-preserve-unknown-fields': true,
    },
    status: obj({ phase: str(), message: str(), reason: str(), lastPhaseTransitionTime: str() }),
  }),
  columns: [
    nameColumn,
    pathColumn('Capacity', '.spec.capacity.storage', 'Size of the volume.'),
    modesColumn('spec'),
    pathColumn('Reclaim Policy', '.spec.persistentVolumeReclaimPolicy', 'What becomes of it when its claim goes.'),
    pathColumn('Status', '.status.phase', 'Available, Bound or Released.'),
    {
      name: 'Claim',
      type: 'string',
      description: 'The claim it is bound to.',
      cell: (volume) => {
        const { namespace, name } = record(record(volume['spec'])['claimRef']);
        return name === undefined ? '' : `${namespace}/${name}`;
      },
    },
    pathColumn('StorageClass', '.spec.storageClassName', 'StorageClass of the volume.'),
    ageColumn,
  ],
};

export const storageClassRow: KindRow = {
  group: 'storage.k8s.io',
  kind: 'StorageClass',
  plural: 'storageclasses',
  shortNames: ['sc'],
  namespaced: false,
  versions: ['v1'],
  storageVersion: 'v1',
  decoding: 'native',
  notice: 'a StorageClass has no effect here: every claim is a directory of this machine',
  schema: obj(
    {
      provisioner: str('Who makes the volumes.'),
      parameters: map(str()),
      reclaimPolicy: str('Delete or Retain.', { default: 'Delete' }),
      mountOptions: list(str()),
      allowVolumeExpansion: bool(),
      volumeBindingMode: str('Immediate or WaitForFirstConsumer.', { default: 'Immediate' }),
      allowedTopologies: list(anything()),
    },
    ['provisioner'],
  ),
  columns: [
    nameColumn,
    pathColumn('Provisioner', '.provisioner', 'Who makes the volumes.'),
    pathColumn('ReclaimPolicy', '.reclaimPolicy', 'What becomes of a volume when its claim goes.'),
    pathColumn('VolumeBindingMode', '.volumeBindingMode', 'When volumes are bound.'),
    {
      name: 'AllowVolumeExpansion',
      type: 'boolean',
      description: 'Whether volumes can grow.',
      cell: (one) => one['allowVolumeExpansion'] === true,
    },
    ageColumn,
  ],
};
