// `varka up`: reads what it was given, starts the mesh here or in the background, shows its progress.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { readConfig } from '../config.ts';
import { problem, renderProblem } from '../errors.ts';
import { startDaemon } from '../front/daemon.ts';
import { Front, type FrontOptions, type Ready } from '../front/front.ts';
import { PORT_OPTIONS, PUBLISHED, type Published } from '../front/listeners.ts';
import type { SandboxOption } from '../front/sandbox.ts';
import { readManifests } from '../manifests/read.ts';
import type { Profile } from '../profile.ts';
import { ProgressView, seconds } from './progress.ts';
import { styleFor } from './style.ts';

export interface UpOptions {
  readonly filename: readonly string[];
  readonly namespace: string;
  readonly wait: number;
  readonly sandbox: SandboxOption;
  readonly detach?: true | undefined;
  readonly gatewayPort?: string | undefined;
  readonly gatewayHttpsPort?: string | undefined;
  readonly apiPort?: string | undefined;
}

function portsOf(options: UpOptions): Partial<Record<Published, number>> {
  const given: Record<Published, string | undefined> = {
    api: options.apiPort,
    http: options.gatewayPort,
    https: options.gatewayHttpsPort,
  };
  const ports: Partial<Record<Published, number>> = {};
  for (const name of PUBLISHED) {
    const value = given[name];
    if (value === undefined) continue;
    if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535)
      throw problem('port-option', { option: PORT_OPTIONS[name], value });
    ports[name] = Number(value);
  }
  return ports;
}

function hasKubectl(): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => existsSync(join(directory, 'kubectl')));
}

function printReady(ready: Ready, out: NodeJS.WriteStream): void {
  const { bold, good, warn } = styleFor(out);
  const first = ready.firstAnswer;
  const proof =
    first === undefined
      ? ''
      : first.kind === 'ok'
        ? `; first 200 through the gateway after ${seconds(first.ms)}`
        : `; ${ready.tryUrl} answers ${first.last}`;
  const complete = ready.complete && first?.kind !== 'none';
  out.write(
    `${complete ? good('✓') : warn('·')} ${ready.complete ? 'ready' : 'running, but not all is ready,'} after ${seconds(ready.readyMs)}${proof}\n\n`,
  );
  out.write(`  API server   ${ready.api}\n`);
  out.write(`  gateway      ${ready.gateway.http}   ${ready.gateway.https}\n\n`);
  out.write(`  ${bold(`export KUBECONFIG=${ready.kubeconfig}`)}\n`);
  out.write(`  ${bold(ready.tryUrl === undefined ? 'kubectl get pods -A' : `curl ${ready.tryUrl}`)}\n`);
  if (!hasKubectl())
    out.write(
      '  (no kubectl in PATH: get it from https://kubernetes.io/docs/tasks/tools/; varka status and logs do without)\n',
    );
  out.write('\n');
}

export async function up(profile: Profile, options: UpOptions): Promise<number> {
  const ports = portsOf(options);
  const images = readConfig(process.cwd());
  const documents = await readManifests(options.filename, process.cwd());
  const front: FrontOptions = {
    profile,
    ports,
    documents,
    images,
    configDirectory: process.cwd(),
    namespace: options.namespace,
    waitSeconds: options.wait,
    sandbox: options.sandbox,
  };
  return options.detach === true ? await detached(front) : await foreground(front);
}

async function detached(options: FrontOptions): Promise<number> {
  const view = new ProgressView(process.stdout);
  const ready = await startDaemon(options, (event) => view.show(event));
  view.clear();
  printReady(ready, process.stdout);
  return ready.complete ? 0 : 1;
}

/** Ctrl-C stops in order, a second one at once; a closed terminal and a plain kill stop in order too. */
function stopOnSignals(front: Front): void {
  let asked = 0;
  const stop = () => {
    asked++;
    if (asked > 1) {
      void front.abort();
      return;
    }
    if (process.stdout.isTTY) process.stdout.write('\r\u001b[2Kstopping; press Ctrl-C again to end at once\n');
    void front.stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  if (process.env['VARKA_LAUNCHER'] !== '1') return;
  process.once('disconnect', () => void front.abort()); // the launcher was killed
  process.channel?.unref(); // which must not keep this process when all else is done
}

async function foreground(options: FrontOptions): Promise<number> {
  const view = new ProgressView(process.stdout);
  const front = new Front(options, (event) => view.show(event));
  stopOnSignals(front);
  try {
    const ready = await front.start();
    view.clear();
    printReady(ready, process.stdout);
    process.stdout.write('Ctrl-C stops everything.\n');
  } catch (error) {
    view.clear();
    if (!front.stopAsked) throw error;
  }
  const failure = await front.finished;
  if (failure !== undefined && failure.problem.name !== 'stopped-early') {
    process.stderr.write(renderProblem(failure.problem, styleFor(process.stderr).bad));
    return 1;
  }
  return 0;
}
