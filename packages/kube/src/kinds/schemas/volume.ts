// core/v1 Volume: the sources that manifests for one machine use in full, the others as they come.
import { anything, bool, int, int64, list, map, obj, quantity, type Schema, str } from '../schema.ts';
import { fieldReference, resourceFieldReference } from './container.ts';
import { labelSelector, objectMeta } from './meta.ts';

const keyToPath = obj({ key: str('The key.'), path: str('File to write it to.'), mode: int('Permission bits.') }, [
  'key',
  'path',
]);
const downwardItem = obj(
  { path: str('File to write.'), mode: int(), fieldRef: fieldReference, resourceFieldRef: resourceFieldReference },
  ['path'],
);

const claimSpec = obj({
  accessModes: list(str()),
  resources: obj({ requests: map(quantity()), limits: map(quantity()) }),
  storageClassName: str(),
  volumeMode: str(),
  volumeName: str(),
  volumeAttributesClassName: str(),
  selector: labelSelector,
  dataSource: anything(),
  dataSourceRef: anything(),
});

const projection = obj({
  configMap: obj({ name: str(undefined, { default: '' }), items: list(keyToPath), optional: bool() }),
  secret: obj({ name: str(undefined, { default: '' }), items: list(keyToPath), optional: bool() }),
  downwardAPI: obj({ items: list(downwardItem) }),
  serviceAccountToken: obj({ audience: str(), expirationSeconds: int64(undefined, { default: 3600 }), path: str() }, [
    'path',
  ]),
  clusterTrustBundle: anything(),
  podCertificate: anything(),
});

const REMOTE = [
  'awsElasticBlockStore',
  'azureDisk',
  'azureFile',
  'cephfs',
  'cinder',
  'fc',
  'flexVolume',
  'flocker',
  'gcePersistentDisk',
  'gitRepo',
  'glusterfs',
  'iscsi',
  'nfs',
  'photonPersistentDisk',
  'portworxVolume',
  'quobyte',
  'rbd',
  'scaleIO',
  'storageos',
  'vsphereVolume',
  'image',
] as const;

export const volume: Schema = obj(
  {
    name: str('Name that volumeMounts refer to.'),
    emptyDir: obj(
      { medium: str('Memory keeps it in memory.'), sizeLimit: quantity() },
      [],
      'A directory that lives as long as the pod.',
    ),
    configMap: obj(
      {
        name: str(undefined, { default: '' }),
        items: list(keyToPath),
        defaultMode: int(undefined, { default: 420 }),
        optional: bool(),
      },
      [],
      'The keys of a ConfigMap as files.',
    ),
    secret: obj(
      { secretName: str(), items: list(keyToPath), defaultMode: int(undefined, { default: 420 }), optional: bool() },
      [],
      'The keys of a Secret as files.',
    ),
    downwardAPI: obj({ items: list(downwardItem), defaultMode: int(undefined, { default: 420 }) }),
    projected: obj({ sources: list(projection), defaultMode: int(undefined, { default: 420 }) }),
    hostPath: obj({ path: str(), type: str(undefined, { default: '' }) }, ['path'], 'A path on the host.'),
    persistentVolumeClaim: obj({ claimName: str(), readOnly: bool() }, ['claimName']),
    csi: obj(
      {
        driver: str(),
        fsType: str(),
        readOnly: bool(),
        volumeAttributes: map(str()),
        nodePublishSecretRef: obj({ name: str() }),
      },
      ['driver'],
    ),
    ephemeral: obj({ volumeClaimTemplate: obj({ metadata: objectMeta, spec: claimSpec }, ['spec']) }),
    ...Object.fromEntries(REMOTE.map((name) => [name, anything('Taken as it comes.')])),
  },
  ['name'],
  'Storage that the containers of a pod share.',
);
