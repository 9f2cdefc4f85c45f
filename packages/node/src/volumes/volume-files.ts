// Which files a volume of configuration holds: pure readings of the volume and the objects it names. The complaints are
// in the kubelet's words.
import type { ConfigMap, Pod } from '@varka/kube/client/typed-objects.ts';
import type { DownwardAPIVolumeFile, KeyToPath, Secret } from 'kubernetes-types/core/v1.d.ts';
import { FieldError, fieldForFile, resourceField } from '../config/downward.ts';

export interface VolumeFile {
  readonly content: Buffer;
  /** Permission bits. */
  readonly mode: number;
}

/** By path, relative to the volume. */
export type VolumeFiles = ReadonlyMap<string, VolumeFile>;

/** The volume cannot be had as it is asked for. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
}

/** Which keys are wanted, and how. */
export interface KeySelection {
  readonly items?: readonly KeyToPath[] | undefined;
  readonly optional?: boolean | undefined;
  /** Permission bits of files whose item gives none; 0644 unless given. */
  readonly defaultMode?: number | undefined;
}

const DEFAULT_MODE = 0o644;

export function configMapFiles(name: string, selection: KeySelection, object: ConfigMap | undefined): VolumeFiles {
  if (object === undefined && selection.optional !== true) throw new VolumeError(`configmap "${name}" not found`);
  const data = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(object?.data ?? {})) data.set(key, Buffer.from(text));
  for (const [key, base64] of Object.entries(object?.binaryData ?? {})) data.set(key, Buffer.from(base64, 'base64'));
  return select(data, selection, (key) => `configmap references non-existent config key: ${key}`);
}

export function secretFiles(
  name: string,
  selection: KeySelection,
  object: Pick<Secret, 'data'> | undefined,
): VolumeFiles {
  if (object === undefined && selection.optional !== true) throw new VolumeError(`secret "${name}" not found`);
  const data = new Map<string, Buffer>();
  for (const [key, base64] of Object.entries(object?.data ?? {})) data.set(key, Buffer.from(base64, 'base64'));
  return select(data, selection, (key) => `references non-existent secret key: ${key}`);
}

export function downwardFiles(
  items: readonly DownwardAPIVolumeFile[],
  pod: Pod,
  defaultMode: number = DEFAULT_MODE,
): VolumeFiles {
  const files = new Map<string, VolumeFile>();
  for (const { path, mode, fieldRef, resourceFieldRef } of items) {
    const content = Buffer.from(downwardText(pod, fieldRef?.fieldPath, resourceFieldRef));
    files.set(safePath(path), { content, mode: mode ?? defaultMode });
  }
  return files;
}

function downwardText(
  pod: Pod,
  fieldPath: string | undefined,
  resource: DownwardAPIVolumeFile['resourceFieldRef'],
): string {
  try {
    if (fieldPath !== undefined) return fieldForFile(fieldPath, pod);
    if (resource === undefined) return '';
    const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
    const container = containers.find(({ name }) => name === resource.containerName);
    if (container === undefined) throw new VolumeError(`container ${resource.containerName ?? ''} not found`);
    return resourceField(resource, container);
  } catch (error) {
    if (error instanceof FieldError) throw new VolumeError(error.message, { cause: error });
    throw error;
  }
}

function select(
  data: ReadonlyMap<string, Buffer>,
  { items, optional = false, defaultMode = DEFAULT_MODE }: KeySelection,
  complaint: (key: string) => string,
): VolumeFiles {
  const files = new Map<string, VolumeFile>();
  if (items === undefined || items.length === 0) {
    for (const [key, content] of data) files.set(safePath(key), { content, mode: defaultMode });
    return files;
  }
  for (const { key, path, mode } of items) {
    const content = data.get(key);
    if (content !== undefined) files.set(safePath(path), { content, mode: mode ?? defaultMode });
    else if (!optional) throw new VolumeError(complaint(key));
  }
  return files;
}

/** Kubernetes: "a relative path, must not contain '..'"; nor begin with two dots, which the volume keeps for itself. */
export function safePath(path: string): string {
  const parts = path.split('/');
  const bad = path === '' || path.startsWith('/') || path.startsWith('..') || parts.includes('..');
  if (bad || path.includes('\0')) {
    throw new VolumeError(`invalid path ${JSON.stringify(path)}: must be relative and must not contain '..'`);
  }
  return parts.filter((part) => part !== '' && part !== '.').join('/');
}
