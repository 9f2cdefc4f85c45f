// The kinds of patch that the API takes, each applied to a copy.
import { applyPatch, type Operation, Pointer } from 'rfc6902';
import { isRecord } from '../kinds/conform.ts';
import type { Schema } from '../kinds/schema.ts';
import { StatusError } from '../status-error.ts';
import { strategicMerge } from './strategic-merge.ts';

/** Kubernetes' limits (apiserver handlers/patch.go): a few copies of copies would fill the memory. */
const MAX_STEPS = 10_000;
const MAX_COPIED = 3 * 1024 * 1024;
const OPERATIONS = new Set<unknown>(['add', 'remove', 'replace', 'move', 'copy', 'test']);

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
  if (!Array.isArray(patch) || !patch.every(isOperation)) {
    throw StatusError.badRequest(
      'a JSON patch must be a list of operations, each with an "op" of RFC 6902 and a "path" (copy and move: a "from" too) that begins with "/"',
    );
  }
  if (patch.length > MAX_STEPS) {
    throw StatusError.tooLarge(`The allowed maximum operations in a JSON patch is ${MAX_STEPS}, got ${patch.length}`);
  }
  const copy: unknown = structuredClone(target);
  let copied = 0;
  for (const [index, step] of patch.entries()) {
    if (step.op === 'copy') copied += JSON.stringify(Pointer.fromJSON(step.from).get(copy) ?? null).length;
    if (copied > MAX_COPIED)
      throw StatusError.tooLarge(`the copies of the JSON patch are larger than ${MAX_COPIED} bytes together`);
    const [error] = applyPatch(copy, [step]);
    if (error !== null) throw failedStep(index, step);
  }
  return copy;
}

function failedStep(index: number, { op, path }: Operation): StatusError {
  const why = op === 'test' ? 'the value there is another' : 'there is no such place, or it cannot be done there';
  return StatusError.of(
    422,
    'Invalid',
    `the server rejected our request due to an error in our request: JSON patch step ${index} (${op} ${path}): ${why}`,
  );
}

function isOperation(step: unknown): step is Operation {
  if (!isRecord(step) || !OPERATIONS.has(step['op']) || !isPointer(step['path'])) return false;
  return (step['op'] !== 'copy' && step['op'] !== 'move') || isPointer(step['from']);
}

/** RFC 6901; never through a prototype. */
function isPointer(text: unknown): boolean {
  return typeof text === 'string' && (text === '' || text.startsWith('/')) && !text.split('/').includes('__proto__');
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
