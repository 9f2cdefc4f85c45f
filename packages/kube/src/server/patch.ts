// The kinds of patch that the API takes, each applied to a copy.
import { applyPatch, type Operation } from 'rfc6902';
import { isRecord } from '../kinds/conform.ts';
import type { Schema } from '../kinds/schema.ts';
import { StatusError } from '../status-error.ts';
import { strategicMerge } from './strategic-merge.ts';

export type PatchType = 'json' | 'merge' | 'strategic';

export function applyPatchTo(
  target: Record<string, unknown>,
  patch: unknown,
  type: PatchType,
  schema: Schema,
): unknown {
  switch (type) {
    case 'json':
      return jsonPatch(target, patch);
    case 'merge':
      return mergePatch(target, asObject(patch));
    case 'strategic':
      return strategicMerge(target, asObject(patch), schema);
  }
}

function asObject(patch: unknown): Record<string, unknown> {
  if (isRecord(patch)) return patch;
  throw StatusError.badRequest('a merge patch must be an object');
}

/** RFC 6902. */
function jsonPatch(target: Record<string, unknown>, patch: unknown): unknown {
  if (
    !Array.isArray(patch) ||
    !patch.every((step) => isRecord(step) && typeof step['op'] === 'string' && typeof step['path'] === 'string')
  ) {
    throw StatusError.badRequest('a JSON patch must be a list of operations, each with "op" and "path"');
  }
  const copy: unknown = structuredClone(target);
  const failed = applyPatch(copy, patch as Operation[]).findIndex((error) => error !== null);
  if (failed === -1) return copy;
  const step = patch[failed] as Operation;
  const why = step.op === 'test' ? 'the value there is another' : 'there is no such place, or it cannot be done there';
  throw StatusError.of(
    422,
    'Invalid',
    `the server rejected our request due to an error in our request: JSON patch step ${failed} (${step.op} ${step.path}): ${why}`,
  );
}

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (key === '__proto__') continue;
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}
