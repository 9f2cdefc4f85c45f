// What is computed once a snapshot, and shared by every proxy for which it would come out the same: shared messages are
// also encoded once.
import type { Snapshot } from '../snapshot.ts';

/** The key is all that `compute` may read besides the snapshot. */
export type Shared = <T>(key: readonly unknown[], compute: () => T) => T;

const memos = new WeakMap<Snapshot, Map<string, unknown>>();

export function sharedBy(snapshot: Snapshot): Shared {
  const memo = memos.get(snapshot) ?? new Map<string, unknown>();
  memos.set(snapshot, memo);
  return <T>(key: readonly unknown[], compute: () => T): T => {
    const text = JSON.stringify(key);
    if (!memo.has(text)) memo.set(text, compute());
    return memo.get(text) as T;
  };
}
