// The patch of a client-side apply: what the manifest says now, less what it said last time and says no more
// (Kubernetes docs: "Declarative Management of Kubernetes Objects", how apply calculates differences).
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '@varka/kube/object.ts';

export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A JSON merge patch (RFC 7386); undefined when nothing differs. Lists are taken whole. */
export function threeWayPatch(last: Fields, wanted: Fields, live: Fields): Fields | undefined {
  const patch: Fields = {};
  for (const [key, value] of Object.entries(wanted)) {
    const current = live[key];
    if (isFields(value) && isFields(current)) {
      const before = last[key];
      const inner = threeWayPatch(isFields(before) ? before : {}, value, current);
      if (inner !== undefined) patch[key] = inner;
    } else if (!isDeepStrictEqual(value, current)) {
      patch[key] = value;
    }
  }
  for (const key of Object.keys(last)) if (!(key in wanted) && key in live) patch[key] = null;
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** The object as it is sent, remembering what was asked for; the text ends in a line break, as kubectl's does. */
export function withLastApplied(object: KubeObject): KubeObject {
  const { [LAST_APPLIED]: _, ...annotations } = object.metadata?.annotations ?? {};
  const bare = { ...object, metadata: { ...object.metadata, annotations } };
  const text = `${JSON.stringify(bare)}\n`;
  return { ...object, metadata: { ...object.metadata, annotations: { ...annotations, [LAST_APPLIED]: text } } };
}

export function lastApplied(live: KubeObject): Fields {
  const text = live.metadata?.annotations?.[LAST_APPLIED];
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {}; // somebody wrote something else there; kubectl starts afresh too
    throw error;
  }
}
