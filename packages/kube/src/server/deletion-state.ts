// Whether an object that is being deleted has nothing left to wait for.
import { record } from '../kinds/pod-template.ts';
import type { KindRow } from '../kinds/row.ts';
import type { KubeObject } from '../object.ts';

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

export const isPod = (row: KindRow): boolean => row.group === '' && row.kind === 'Pod';
export const isNamespace = (row: KindRow): boolean => row.group === '' && row.kind === 'Namespace';

export function isFinished(row: KindRow, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata ?? {};
  if (deletionTimestamp === undefined || finalizers.length > 0) return false;
  // A namespace has finalizers in its spec too: they stand for the content it still has.
  if (isNamespace(row)) return namespaceFinalizers(object).length === 0;
  // Whoever runs the pod ends its grace period, by deleting it with a period of 0.
  return deletionGracePeriodSeconds === 0;
}

export function namespaceFinalizers(namespace: KubeObject): readonly unknown[] {
  const finalizers = record(namespace['spec'])['finalizers'];
  return Array.isArray(finalizers) ? finalizers : [];
}
