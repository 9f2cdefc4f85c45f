// The programs of the proxy and the demos as JavaScript files of their own: one then starts in a fraction of the time,
// and of the memory, that stripping types and loading modules one by one takes. Built when a source file has changed,
// kept for all profiles.
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire, findPackageJSON } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { OutputFile, Plugin } from 'esbuild';
import { errorCode } from '../errors.ts';

/** What bundles were made of; they are current while every input still looks the same. */
interface Manifest {
  readonly entries: readonly string[];
  readonly node: string;
  readonly bundles: Readonly<Record<string, string>>;
  readonly inputs: readonly { readonly path: string; readonly size: number; readonly mtimeMs: number }[];
}

export interface Bundles {
  /** The bundle's path by its entry's. */
  readonly paths: Readonly<Record<string, string>>;
  /** False when what an earlier start made is still current. */
  readonly built: boolean;
}

const require = createRequire(import.meta.url);
export const PROXY_ENTRY = require.resolve('@varka/proxy/main.ts');
/** What makes a container's Node programs members of the `loopback` sandbox's network. */
export const PRELOAD_ENTRY = require.resolve('@varka/node/loopback/preload/main.ts');
const ROOT = dirname(fileURLToPath(new URL('../../../../package.json', import.meta.url)));
/** Programs that still run an older bundle have loaded it already; two are kept for those just starting. */
const KEPT = 3;

/**
 * koffi is native and stays outside the bundles, which lie where no node_modules is: a link puts it within reach of both
 * `import` and `require`. Node resolves the link, so koffi finds its own parts where npm put them.
 */
function linkKoffi(directory: string): void {
  const manifest = findPackageJSON('koffi', import.meta.url);
  if (manifest === undefined) throw new Error('koffi is not installed; run `npm ci` in the clone');
  const target = dirname(manifest);
  const link = join(directory, 'node_modules/koffi');
  if (readlinkOrNot(link) === target) return;
  mkdirSync(dirname(link), { recursive: true });
  const draft = `${link}.${process.pid}`;
  symlinkSync(target, draft);
  renameSync(draft, link);
}

function readlinkOrNot(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

// CommonJS inside an ES module bundle asks for `require`; the unusual names avoid a clash with modules that import
// these themselves, as `globalThis` does with those that import a setTimeout. The compile cache is otherwise written at
// exit only, which a program that is killed never reaches.
const BANNER = `import { createRequire as __varkaCreateRequire, flushCompileCache as __varkaFlush } from 'node:module';
const require = __varkaCreateRequire(import.meta.url);
globalThis.setTimeout(__varkaFlush, 10_000).unref();`;

/** A module that looks for files beside it means beside its source, not beside the bundle. */
const keepModuleUrls: Plugin = {
  name: 'keep-module-urls',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const contents = await readFile(path, 'utf8');
      if (!contents.includes('import.meta.url')) return undefined;
      return {
        contents: contents.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
        loader: 'ts',
      };
    });
  },
};

function readManifest(path: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isCurrent(manifest: Manifest, entries: readonly string[]): boolean {
  if (manifest.node !== process.version || manifest.entries.join('\n') !== entries.join('\n')) return false;
  const exists = (path: string) => statSync(path, { throwIfNoEntry: false }) !== undefined;
  if (!Object.values(manifest.bundles).every(exists)) return false;
  return manifest.inputs.every(({ path, size, mtimeMs }) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat !== undefined && stat.size === size && stat.mtimeMs === mtimeMs;
  });
}

function writeWhole(path: string, content: string | Uint8Array): void {
  const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(draft, content);
  renameSync(draft, path);
}

/** All of one build in a folder named after its content: bundles refer to the parts they share by relative paths. */
function writeBuild(directory: string, files: readonly OutputFile[]): string {
  const hash = createHash('sha256');
  for (const { path, contents } of files) hash.update(basename(path)).update(contents);
  const folder = join(directory, hash.digest('hex').slice(0, 16));
  mkdirSync(folder, { recursive: true });
  for (const { path, contents } of files) writeWhole(join(folder, basename(path)), contents);
  return folder;
}

function removeOld(directory: string): void {
  const builds = readdirSync(directory).filter((name) => /^[0-9a-f]{16}$/.test(name));
  const byAge = builds.map((name) => ({
    name,
    age: statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
  }));
  byAge.sort((a, b) => b.age - a.age);
  for (const { name } of byAge.slice(KEPT)) rmSync(join(directory, name), { recursive: true, force: true });
}

/** Makes one program of each entry module (an absolute path); what several of them import is shared. */
export async function bundlePrograms(cache: string, entries: readonly string[]): Promise<Bundles> {
  const directory = join(cache, 'programs');
  const manifestPath = join(directory, 'manifest.json');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  linkKoffi(directory);
  const known = readManifest(manifestPath);
  if (known !== undefined && isCurrent(known, entries)) return { paths: known.bundles, built: false };
  const { build, stop } = await import('esbuild'); // loaded only when there is something to build
  const result = await build({
    entryPoints: [...entries],
    absWorkingDir: ROOT,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: { js: BANNER },
    external: ['koffi', 'pg-native'],
    legalComments: 'none',
    metafile: true,
    write: false,
    outdir: directory,
    entryNames: '[name]-[hash]',
    chunkNames: 'shared-[hash]',
    outExtension: { '.js': '.mjs' },
    plugins: [keepModuleUrls],
    logLevel: 'silent',
  });
  await stop(); // its process would stay, as large as a pod
  const folder = writeBuild(directory, result.outputFiles);
  const bundles: Record<string, string> = {};
  for (const [output, { entryPoint }] of Object.entries(result.metafile.outputs)) {
    if (entryPoint !== undefined) bundles[join(ROOT, entryPoint)] = join(folder, basename(output));
  }
  // This file too: it says how they are made.
  const inputs = [...Object.keys(result.metafile.inputs), fileURLToPath(import.meta.url)].map((input) => {
    const absolute = resolve(ROOT, input);
    const { size, mtimeMs } = statSync(absolute);
    return { path: absolute, size, mtimeMs };
  });
  writeWhole(manifestPath, JSON.stringify({ entries, node: process.version, bundles, inputs } satisfies Manifest));
  removeOld(directory);
  return { paths: bundles, built: true };
}
