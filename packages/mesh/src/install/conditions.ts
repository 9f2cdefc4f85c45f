// Status conditions as Kubernetes has them, and writing a status only when it says something new.
import { isMap, sameJson } from './merge-patch.ts';

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

/** The new conditions, each with the time of its last change of `status` (meta/v1 Condition.lastTransitionTime). */
export function withTransitionTimes(
  conditions: readonly Condition[],
  before: readonly Condition[] | undefined,
  now: Date,
): Condition[] {
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z');
  return conditions.map((condition) => {
    const old = before?.find(({ type }) => type === condition.type);
    const since = old?.status === condition.status ? old.lastTransitionTime : undefined;
    return { ...condition, lastTransitionTime: since ?? time };
  });
}

/** True when every field of `wanted` already has that value in `current`, which may have others as well. */
export function saysAlready(current: unknown, wanted: Record<string, unknown>): boolean {
  return isMap(current) && Object.entries(wanted).every(([name, value]) => sameJson(current[name], value));
}
