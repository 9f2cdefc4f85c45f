// Starts a command of this package on a Node that runs TypeScript as it is (24 or later). The machine's own Node may be
// older (20 is enough to get here): npm brought the right one along, and this file, plain JavaScript, hands over to it.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../../..');
process.env.VARKA_STARTED_AT ??= String(performance.timeOrigin);

function runsTypeScript() {
  return Boolean(process.features.typescript) && Number(process.versions.node.split('.')[0]) >= 24;
}

/** The Node that npm installed for this platform, or undefined. */
function bundledNode() {
  const system = { linux: 'linux', win32: 'win' }[process.platform];
  const require = createRequire(import.meta.url);
  try {
    const directory = dirname(require.resolve(`node-${system}-${process.arch}/package.json`));
    return [join(directory, 'bin/node'), join(directory, 'bin/node.exe')].find((path) => existsSync(path));
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

function fail(what, next) {
  process.stderr.write(`error: ${what}\n  next: ${next}\n`);
  process.exit(1);
}

/** The Envoy types are made from their .proto files by a script; a clone installed without scripts lacks them. */
function ensureGenerated(node) {
  const script = join(root, 'scripts/generate.mjs');
  if (existsSync(join(root, 'packages/xds/gen/.stamp')) || !existsSync(script)) return;
  const done = spawnSync(node, [script], { cwd: root, stdio: ['ignore', 2, 2] });
  if (done.status !== 0)
    fail('the Envoy types could not be generated (see above)', 'run `npm ci` in the clone, then try again');
}

/** Signals that are sent to this process alone are passed on; a terminal's Ctrl-C reaches the child by itself. */
function handOver(node, main) {
  const child = spawn(node, [main, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, VARKA_LAUNCHER: '1' },
  });
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT');
  });
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`${node} does not start: ${error.message}`, 'run `npm ci` in the clone again'));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** `module`: of the command, relative to this file. */
export async function launch(module) {
  const main = join(here, module);
  if (runsTypeScript()) {
    ensureGenerated(process.execPath);
    await import(main);
    return;
  }
  const node = bundledNode();
  if (node === undefined) {
    fail(
      `varka needs Node 24 or later; this is Node ${process.versions.node}, and npm installed none for ${process.platform} ${process.arch}`,
      'install Node 24 from https://nodejs.org, or run `npm ci` in the clone without --omit=optional',
    );
  }
  ensureGenerated(node);
  handOver(node, main);
}
