// Reads what -f names: files, directories, the standard input. Nothing is applied when anything here fails, and every
// document remembers where it stands so that a later rejection can point at it.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join, relative, resolve } from 'node:path';
import type { KubeObject } from '@varka/kube/object.ts';
import { isMap, isScalar, LineCounter, parseAllDocuments } from 'yaml';
import { errorCode, messageOf, problem, type VarkaError } from '../errors.ts';

export interface ManifestDocument {
  /** As the user named it; `-` for the standard input. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** From 1, counting the documents of one file. */
  readonly index: number;
  readonly object: KubeObject;
}

const EXTENSIONS = new Set(['.yaml', '.yml', '.json']);
/** As for kubectl: the standard input. */
const STDIN = '-';
const LARGEST_FILE = 16 << 20;
/** Anchors may repeat this often in all, so that a small file cannot unfold into a huge object. */
const MOST_ALIASES = 1000;

function filesIn(directory: string): string[] {
  const entries = readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' || entry.name.startsWith('.') ? [] : filesIn(path);
    return EXTENSIONS.has(extname(entry.name)) ? [path] : [];
  });
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** A demo keeps its manifests beside its programs, in `manifests/`. */
function expand(path: string, cwd: string): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw problem('file-missing', { path: shown(path, cwd), cwd });
  if (!stat.isDirectory()) return [path];
  const manifests = join(path, 'manifests');
  const files = filesIn(isDirectory(manifests) ? manifests : path);
  if (files.length === 0) throw problem('directory-empty', { path: shown(path, cwd) });
  return files;
}

function shown(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short.startsWith('..') || short === '' ? path : short;
}

function readText(path: string, name: string): string {
  try {
    if (statSync(path).size > LARGEST_FILE) throw tooLarge(name);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw problem('file-unreadable', { path: name, detail: messageOf(error) }, error);
  }
}

function tooLarge(path: string): VarkaError {
  return problem('too-large', { path, limit: `${LARGEST_FILE >> 20} MB` });
}

async function readStream(stream: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > LARGEST_FILE) throw tooLarge(STDIN);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function listItems(object: KubeObject): KubeObject[] | undefined {
  return object.kind === 'List' && Array.isArray(object['items']) ? (object['items'] as KubeObject[]) : undefined;
}

function missing(object: KubeObject): string | undefined {
  for (const field of ['apiVersion', 'kind'] as const) {
    const value = object[field];
    if (value === undefined || value === null) return `it has no ${field}`;
    if (typeof value !== 'string') return `its ${field} is not a text`;
  }
  const meta = object.metadata;
  if (typeof meta !== 'object' || meta === null) return 'it has no metadata';
  if (typeof meta.name === 'string' || typeof meta.generateName === 'string') return undefined;
  return 'its metadata has no name';
}

export function parseManifest(path: string, text: string): ManifestDocument[] {
  const lines = new LineCounter();
  const documents: ManifestDocument[] = [];
  // Kubernetes reads YAML 1.1; the 1.2 core schema differs where 1.1 turns `y` and `on` into booleans, which kubectl's
  // own parser does not do for keys. `uniqueKeys` (on by default) refuses a key given twice, as kubectl's strict mode.
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  for (const [position, document] of [...parsed].entries()) {
    const index = position + 1;
    const error = document.errors[0];
    if (error !== undefined) {
      const { line, col } = lines.linePos(error.pos[0]);
      throw problem('not-yaml', { path, line, column: col, detail: error.message });
    }
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) continue; // an empty document between two `---`
    const { line } = lines.linePos(document.contents.range?.[0] ?? 0);
    if (!isMap(document.contents)) throw problem('not-an-object', { path, line, index, detail: 'it is not a mapping' });
    let object: KubeObject;
    try {
      object = document.toJS({ maxAliasCount: MOST_ALIASES }) as KubeObject;
    } catch (cause) {
      throw problem('not-yaml', { path, line, column: 1, detail: messageOf(cause) }, cause);
    }
    for (const item of listItems(object) ?? [object]) {
      const lacking = missing(item);
      if (lacking !== undefined) throw problem('not-an-object', { path, line, index, detail: lacking });
      documents.push({ path, line, index, object: item });
    }
  }
  return documents;
}

/** In the order given; of a directory in the order of names. A path given twice is read once. */
export async function readManifests(
  paths: readonly string[],
  cwd: string,
  stdin: AsyncIterable<Uint8Array | string> = process.stdin,
): Promise<ManifestDocument[]> {
  const files = new Set(paths.flatMap((path) => (path === STDIN ? [path] : expand(resolve(cwd, path), cwd))));
  const documents: ManifestDocument[] = [];
  for (const file of files) {
    const name = file === STDIN ? file : shown(file, cwd);
    documents.push(...parseManifest(name, file === STDIN ? await readStream(stdin) : readText(file, name)));
  }
  if (paths.length > 0 && documents.length === 0) throw problem('nothing-to-apply', { paths: paths.join(', ') });
  return documents;
}
