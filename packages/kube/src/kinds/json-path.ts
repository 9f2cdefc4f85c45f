// The small part of JSONPath that printer columns and scale paths use: `.spec.hosts`, `.status.conditions[?(@.type=="Ready")].status`.
import { isRecord } from './conform.ts';

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'each' }
  | { readonly kind: 'filter'; readonly path: readonly Step[]; readonly equals: string };

const STEP =
  /\.?\['((?:[^'\\]|\\.)*)'\]|\.((?:[^.[\]\\]|\\.)+)|\[(\d+)\]|\[\*\]|\[\?\(@((?:\.[\w-]+)+)\s*==\s*["']([^"']*)["']\)\]/y;

/** Undefined when the path is not one that we read. */
export function parseJsonPath(text: string): ((root: unknown) => unknown) | undefined {
  const steps = stepsOf(text.trim().replace(/^\{(.*)\}$/s, '$1'));
  return steps === undefined ? undefined : (root) => follow(root, steps);
}

function stepsOf(text: string): Step[] | undefined {
  const steps: Step[] = [];
  const path = text.startsWith('$') ? text.slice(1) : text;
  // The expression keeps its place in itself, and a filter has a path of its own: so the place is kept here.
  for (let at = 0; at < path.length; ) {
    STEP.lastIndex = at;
    const match = STEP.exec(path);
    if (match === null) return undefined;
    at = STEP.lastIndex;
    const [whole, quoted, name, index, filter, equals] = match;
    const field = quoted ?? name;
    if (field !== undefined) steps.push({ kind: 'field', name: field.replace(/\\(.)/g, '$1') });
    else if (index !== undefined) steps.push({ kind: 'index', index: Number(index) });
    else if (whole === '[*]') steps.push({ kind: 'each' });
    else if (filter !== undefined && equals !== undefined)
      steps.push({ kind: 'filter', path: stepsOf(filter) ?? [], equals });
  }
  return steps;
}

/** The first hit, as the API server takes for a column. */
function follow(root: unknown, steps: readonly Step[]): unknown {
  let values: unknown[] = [root];
  for (const step of steps) values = values.flatMap((value) => next(value, step));
  return values[0];
}

function next(value: unknown, step: Step): unknown[] {
  switch (step.kind) {
    case 'field':
      return isRecord(value) && value[step.name] !== undefined ? [value[step.name]] : [];
    case 'index':
      return Array.isArray(value) && step.index < value.length ? [value[step.index]] : [];
    case 'each':
      return Array.isArray(value) ? value : [];
    case 'filter':
      return Array.isArray(value) ? value.filter((item) => String(follow(item, step.path)) === step.equals) : [];
  }
}
