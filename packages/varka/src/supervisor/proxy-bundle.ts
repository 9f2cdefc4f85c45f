// The proxy as one JavaScript file: a sidecar then starts in a fraction of the time that loading its modules one by
// one takes. Built when a source file has changed, kept for all profiles.
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
import { createRequire, findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorCode } from '../errors.ts';

/** What a bundle was made of; it is current while every input still looks the same. */
interface Manifest {
  readonly entry: string;
  readonly node: string;
  readonly bundle: string;
  readonly inputs: readonly { readonly path: string; readonly size: number; readonly mtimeMs: number }[];
}

const require = createRequire(import.meta.url);
/** Sidecars that still run an older bundle have it loaded already; two are kept for those just starting. */
const KEPT = 3;

/**
 * koffi is native and stays outside the bundle, which lies where no node_modules is: a link puts it within reach of both
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
// these themselves. The compile cache is otherwise written at exit only, which a sidecar that is killed never reaches.
const BANNER = `import { createRequire as __varkaCreateRequire, flushCompileCache as __varkaFlush } from 'node:module';
const require = __varkaCreateRequire(import.meta.url);
setTimeout(__varkaFlush, 10_000).unref();`;

function readManifest(path: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isCurrent(manifest: Manifest, entry: string): boolean {
  if (manifest.entry !== entry || manifest.node !== process.version) return false;
  if (statSync(manifest.bundle, { throwIfNoEntry: false }) === undefined) return false;
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

function removeOld(directory: string): void {
  const bundles = readdirSync(directory).filter((name) => name.endsWith('.mjs'));
  const byAge = bundles.map((name) => ({
    name,
    age: statSync(join(directory, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
  }));
  byAge.sort((a, b) => b.age - a.age);
  for (const { name } of byAge.slice(KEPT)) rmSync(join(directory, name), { force: true });
}

/** The path of the bundle, and whether it had to be made. */
export async function bundleProxy(
  cache: string,
  entry = require.resolve('@varka/proxy/main.ts'),
): Promise<{ path: string; built: boolean }> {
  const directory = join(cache, 'proxy');
  const manifestPath = join(directory, 'manifest.json');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  linkKoffi(directory);
  const known = readManifest(manifestPath);
  if (known !== undefined && isCurrent(known, entry)) return { path: known.bundle, built: false };
  const { build } = await import('esbuild'); // loaded only when there is something to build
  const root = dirname(fileURLToPath(new URL('../../../../package.json', import.meta.url)));
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: { js: BANNER },
    external: ['koffi'],
    legalComments: 'none',
    metafile: true,
    write: false,
    outdir: directory,
    logLevel: 'silent',
  });
  const output = result.outputFiles[0];
  if (output === undefined) throw new Error('the proxy bundle is empty');
  const hash = createHash('sha256').update(output.contents).digest('hex').slice(0, 16);
  const path = join(directory, `proxy-${hash}.mjs`);
  writeWhole(path, output.contents);
  const inputs = Object.keys(result.metafile.inputs).map((input) => {
    const absolute = join(root, input);
    const { size, mtimeMs } = statSync(absolute);
    return { path: absolute, size, mtimeMs };
  });
  writeWhole(manifestPath, JSON.stringify({ entry, node: process.version, bundle: path, inputs } satisfies Manifest));
  removeOld(directory);
  return { path, built: true };
}
