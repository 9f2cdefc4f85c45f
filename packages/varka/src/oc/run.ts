// Carries out what an `oc` line means, with the kubectl that is there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { errorCode, messageOf } from '../errors.ts';
import type { Plan } from './translate.ts';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Of the mesh itself: there before anybody can make it, which a walkthrough that makes it must not be told. */
const OURS = new Set(['istio-system']);

/** Returns the exit code. */
export async function run(plan: Plan): Promise<number> {
  switch (plan.kind) {
    case 'kubectl':
      return passOn(plan.args);
    case 'create-route':
      return passOn(plan.args, JSON.stringify(plan.route));
    case 'new-project': {
      const made = await ask([...plan.global, 'create', 'namespace', plan.name]);
      const there = made.code !== 0 && /\(AlreadyExists\)/.test(made.stderr);
      if (made.code !== 0 && !(there && OURS.has(plan.name))) return failed(made);
      return use(plan.name, plan.global);
    }
    case 'project': {
      if (plan.name === undefined) return say('Using', await currentNamespace(plan.global), plan.global);
      const found = await ask([...plan.global, 'get', 'namespace', plan.name, '-o', 'name']);
      return found.code === 0 ? use(plan.name, plan.global) : failed(found);
    }
    case 'wrong':
      process.stderr.write(`error: ${plan.message}\n`);
      return 1;
  }
}

async function use(namespace: string, global: readonly string[]): Promise<number> {
  const set = await ask([...global, 'config', 'set-context', '--current', '--namespace', namespace]);
  return set.code === 0 ? say('Now using', namespace, global) : failed(set);
}

async function currentNamespace(global: readonly string[]): Promise<string> {
  const { stdout } = await ask([...global, 'config', 'view', '--minify', '-o', 'jsonpath={..namespace}']);
  return stdout.trim() || 'default';
}

async function say(verb: string, namespace: string, global: readonly string[]): Promise<number> {
  const { stdout } = await ask([
    ...global,
    'config',
    'view',
    '--minify',
    '-o',
    'jsonpath={.clusters[0].cluster.server}',
  ]);
  process.stdout.write(`${verb} project "${namespace}" on server "${stdout.trim()}".\n`);
  return 0;
}

function failed({ code, stderr }: Outcome): number {
  process.stderr.write(stderr);
  return code;
}

function kubectl(
  args: readonly string[],
  stdio: ['inherit' | 'ignore' | 'pipe', 'inherit' | 'pipe', 'inherit' | 'pipe'],
) {
  const child = spawn(process.env['KUBECTL'] ?? 'kubectl', args, { stdio });
  child.once('error', (error) => {
    process.stderr.write(
      errorCode(error) === 'ENOENT'
        ? 'error: there is no kubectl in PATH, which this command is made of\n  next: install kubectl, or set KUBECTL to one\n'
        : `error: kubectl does not start: ${messageOf(error)}\n`,
    );
    process.exit(1);
  });
  return child;
}

/** On this terminal; a signal is kubectl's too. */
async function passOn(args: readonly string[], input?: string): Promise<number> {
  const child = kubectl(args, [input === undefined ? 'inherit' : 'pipe', 'inherit', 'inherit']);
  child.stdin?.end(input);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}

async function ask(args: readonly string[]): Promise<Outcome> {
  const child = kubectl(args, ['ignore', 'pipe', 'pipe']);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? 1, ...output };
}
