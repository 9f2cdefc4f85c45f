// The kinds of volumes there are here, and what each is: a directory, a place on the machine, or files of configuration.
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import type { SecretVolumeSource, Volume, VolumeProjection } from 'kubernetes-types/core/v1.d.ts';
import { type ConfigSource, objectKey } from '../config/config-source.ts';
import { parseQuantity } from '../config/quantity.ts';
import {
  configMapFiles,
  downwardFiles,
  type KeySelection,
  safePath,
  secretFiles,
  VolumeError,
  type VolumeFile,
  type VolumeFiles,
} from './volume-files.ts';

export type VolumeSource =
  | { readonly kind: 'emptyDir'; readonly inMemory: boolean; readonly sizeBytes: number | undefined }
  | { readonly kind: 'hostPath'; readonly path: string; readonly type: string }
  | { readonly kind: 'claim'; readonly name: string; readonly readOnly: boolean }
  | FilesSource
  | { readonly kind: 'unsupported'; readonly type: string };

/** Files that are made from objects, and made anew when those change. */
export interface FilesSource {
  readonly kind: 'files';
  /** `objectKey`s of the objects that the files are made of. */
  readonly objects: readonly string[];
  /** After this they are to be made anew although no object has changed: a token's time runs out. */
  readonly renewMs?: number;
  /** Asks the API; rejects with a `VolumeError` when something is not there. */
  files(config: ConfigSource, pod: Pod): Promise<VolumeFiles>;
}

/** ServiceAccountTokenProjection.expirationSeconds */
const DEFAULT_TOKEN_SECONDS = 3600;

export function sourceOf(volume: Volume, namespace: string): VolumeSource {
  const { emptyDir, hostPath, persistentVolumeClaim, configMap, secret, downwardAPI, projected } = volume;
  if (hostPath !== undefined) return { kind: 'hostPath', path: hostPath.path, type: hostPath.type ?? '' };
  if (persistentVolumeClaim !== undefined) {
    const { claimName, readOnly = false } = persistentVolumeClaim;
    return { kind: 'claim', name: claimName, readOnly };
  }
  if (configMap !== undefined) return configMapSource(namespace, configMap);
  if (secret !== undefined) return secretSource(namespace, secret.secretName ?? '', secret);
  if (downwardAPI !== undefined) {
    const { items = [], defaultMode } = downwardAPI;
    return { kind: 'files', objects: [], files: async (_config, pod) => downwardFiles(items, pod, defaultMode) };
  }
  if (projected !== undefined) {
    const parts = (projected.sources ?? []).map((source) => projection(namespace, source, projected.defaultMode));
    return {
      kind: 'files',
      objects: parts.flatMap(({ objects }) => objects),
      ...soonest(parts),
      files: async (config, pod) => {
        const all = new Map<string, VolumeFile>();
        for (const part of parts) for (const [path, file] of await part.files(config, pod)) all.set(path, file);
        return all;
      },
    };
  }
  const other = Object.keys(volume).find((key) => key !== 'name' && key !== 'emptyDir');
  if (other !== undefined) return { kind: 'unsupported', type: other };
  // Kubernetes: a volume that names no source is an emptyDir.
  const sizeBytes = emptyDir?.sizeLimit === undefined ? undefined : parseQuantity(String(emptyDir.sizeLimit));
  return { kind: 'emptyDir', inMemory: emptyDir?.medium === 'Memory', sizeBytes: sizeBytes || undefined };
}

function configMapSource(namespace: string, source: KeySelection & { readonly name?: string }): FilesSource {
  const { name = '' } = source;
  return {
    kind: 'files',
    objects: [objectKey('ConfigMap', namespace, name)],
    files: async (config) => configMapFiles(name, source, await config.configMap(namespace, name)),
  };
}

function secretSource(namespace: string, name: string, source: SecretVolumeSource | KeySelection): FilesSource {
  return {
    kind: 'files',
    objects: [objectKey('Secret', namespace, name)],
    files: async (config) => secretFiles(name, source, await config.secret(namespace, name)),
  };
}

function soonest(parts: readonly FilesSource[]): { renewMs?: number } {
  const times = parts.flatMap(({ renewMs }) => renewMs ?? []);
  return times.length === 0 ? {} : { renewMs: Math.min(...times) };
}

/** A part of a projected volume; its files have the volume's mode unless they have one of their own. */
function projection(namespace: string, source: VolumeProjection, defaultMode: number | undefined): FilesSource {
  const { configMap, secret, downwardAPI, serviceAccountToken: token } = source;
  if (configMap !== undefined) return configMapSource(namespace, { ...configMap, defaultMode });
  if (secret !== undefined) return secretSource(namespace, secret.name ?? '', { ...secret, defaultMode });
  if (downwardAPI !== undefined) {
    const { items = [] } = downwardAPI;
    return { kind: 'files', objects: [], files: async (_config, pod) => downwardFiles(items, pod, defaultMode) };
  }
  if (token !== undefined) {
    return {
      kind: 'files',
      objects: [],
      // The kubelet: when four fifths of its time are over.
      renewMs: (token.expirationSeconds ?? DEFAULT_TOKEN_SECONDS) * 800,
      files: async (config, pod) => {
        const text = await config.token(pod, token.audience, token.expirationSeconds);
        // The kubelet: for its owner only, whatever the volume's mode.
        return new Map([[safePath(token.path), { content: Buffer.from(text), mode: 0o600 }]]);
      },
    };
  }
  const [type = 'nothing'] = Object.keys(source);
  throw new VolumeError(`projected volumes of ${type} are not supported`);
}
