// Paths of fields as server-side apply has them, and FieldsV1, the tree of them that an object carries
// (sigs.k8s.io/structured-merge-diff fieldpath). A path is a list of elements:
//   f:NAME a field or a map's key · k:{"name":"a"} a list's item by its keys · v:VALUE a set's item by itself
import { isRecord } from '../../kinds/conform.ts';

/** Elements joined; sets of paths are sets of these. */
export type Path = string;

/** In no element: JSON escapes it, and a field with it in its name has no path. */
export const SEPARATOR = '\u0000';
const SELF = '.';

export const elementsOf = (path: Path): string[] => (path === '' ? [] : path.split(SEPARATOR));
export const below = (path: Path, element: string): Path => (path === '' ? element : `${path}${SEPARATOR}${element}`);

export function parentOf(path: Path): Path {
  const end = path.lastIndexOf(SEPARATOR);
  return end === -1 ? '' : path.slice(0, end);
}

/** The paths and every path above them. */
export function withParents(paths: Iterable<Path>): Set<Path> {
  const all = new Set<Path>();
  for (let path of paths) {
    while (path !== '' && !all.has(path)) {
      all.add(path);
      path = parentOf(path);
    }
  }
  return all;
}

interface Tree {
  [element: string]: Tree;
}

export function toFieldsV1(paths: Iterable<Path>): Tree {
  const root: Tree = {};
  const all = [...paths].sort();
  const parents = withParents(all.map(parentOf));
  for (const path of all) {
    let node = root;
    for (const element of elementsOf(path)) {
      node[element] ??= {};
      node = node[element];
    }
    // What is nothing but itself is a leaf; what has others below it says that it is there itself too.
    if (parents.has(path)) node[SELF] = {};
  }
  return root;
}

export function fromFieldsV1(fields: unknown): Set<Path> {
  const paths = new Set<Path>();
  const walk = (node: unknown, path: Path): void => {
    if (!isRecord(node)) return;
    const entries = Object.entries(node);
    if (path !== '' && entries.length === 0) paths.add(path);
    for (const [element, child] of entries) {
      if (element === SELF) paths.add(path);
      // Whoever writes managedFields themselves may write anything.
      else if (isElement(element)) walk(child, below(path, element));
    }
  };
  walk(fields, '');
  return paths;
}

function isElement(element: string): boolean {
  const [type, value] = [element.slice(0, 2), element.slice(2)];
  if (element.includes(SEPARATOR)) return false;
  if (type === 'f:') return true;
  try {
    return type === 'v:' ? JSON.parse(value) !== undefined : type === 'k:' && isRecord(JSON.parse(value));
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** `.spec.containers[name="app"].image`, as conflicts are told. */
export function pathText(path: Path): string {
  return elementsOf(path)
    .map((element) => {
      const [type, value] = [element.slice(0, 2), element.slice(2)];
      if (type === 'f:') return `.${value}`;
      if (type === 'v:') return `[=${value}]`;
      const keys = Object.entries(JSON.parse(value) as Record<string, unknown>);
      return `[${keys.map(([name, one]) => `${name}=${JSON.stringify(one)}`).join(',')}]`;
    })
    .join('');
}
