// `varka logs`: of a pod through the API, as kubectl does, or of Varka's own parts from their file.
import { closeSync, createReadStream, existsSync, openSync, readSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';
import { HttpKubeClient } from '@varka/kube/client/http-client.ts';
import { type ClusterAccess, loadKubeconfig } from '@varka/kube/client/kubeconfig.ts';
import { Transport, TransportError } from '@varka/kube/client/transport.ts';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import { pathOf } from '@varka/kube/kinds/kind.ts';
import { Pod as PodKind } from '@varka/kube/kinds/refs.ts';
import { messageOf, problem, profileFlag } from '../errors.ts';
import { logPath } from '../front/state-directory.ts';
import type { Profile } from '../profile.ts';
import { COMPONENTS } from '../supervisor/log.ts';

export interface LogsOptions {
  readonly follow?: true | undefined;
  readonly tail?: number | undefined;
  readonly namespace?: string | undefined;
  readonly container?: string | undefined;
}

const POLL_MS = 200;
const CHUNK = 64 << 10;
const LIMITS = { requestTimeoutMs: 30_000, maxResponseBytes: 1 << 20, userAgent: 'varka-logs' };
const CONTAINER_ANNOTATION = 'kubectl.kubernetes.io/default-container';

export async function logs(profile: Profile, name: string | undefined, options: LogsOptions): Promise<number> {
  if (name === undefined || (COMPONENTS as readonly string[]).includes(name)) {
    await componentLogs(profile, name, options);
    return 0;
  }
  return await podLogs(profile, name, options);
}

function readable(line: string): string {
  try {
    const { time, level, component, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
    const rest = Object.entries(fields).map(
      ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
    return `${time} ${String(level).toUpperCase().padEnd(5)} ${String(component).padEnd(11)} ${msg}${rest.join('')}`;
  } catch (error) {
    if (error instanceof SyntaxError) return line; // Node's own words, e.g. before a crash
    throw error;
  }
}

async function componentLogs(
  profile: Profile,
  component: string | undefined,
  { follow, tail }: LogsOptions,
): Promise<void> {
  const path = logPath(profile);
  if (!existsSync(path)) throw problem('no-kubeconfig', { name: profile.name, flag: profileFlag(profile.name) });
  const wanted = (line: string) => component === undefined || line.includes(`"component":"${component}"`);
  const end = statSync(path).size;
  const kept: string[] = [];
  if (end > 0) {
    for await (const line of createInterface({ input: createReadStream(path, { end: end - 1 }) })) {
      if (!wanted(line)) continue;
      kept.push(line);
      if (tail !== undefined && kept.length > tail) kept.shift();
    }
  }
  for (const line of kept) process.stdout.write(`${readable(line)}\n`);
  if (follow === true)
    await followFile(path, end, (line) => wanted(line) && process.stdout.write(`${readable(line)}\n`));
}

/** Until the command is ended. */
async function followFile(path: string, from: number, onLine: (line: string) => void): Promise<void> {
  let position = from;
  let rest = '';
  const buffer = Buffer.alloc(CHUNK);
  for (;;) {
    const fd = openSync(path, 'r');
    try {
      for (
        let read = readSync(fd, buffer, 0, CHUNK, position);
        read > 0;
        read = readSync(fd, buffer, 0, CHUNK, position)
      ) {
        position += read;
        const lines = (rest + buffer.toString('utf8', 0, read)).split('\n');
        rest = lines.pop() ?? '';
        lines.forEach(onLine);
      }
    } finally {
      closeSync(fd);
    }
    await setTimeout(POLL_MS);
    if (statSync(path).size < position) position = 0; // begun anew
  }
}

async function findPod(
  profile: Profile,
  access: ClusterAccess,
  name: string,
  namespace: string | undefined,
): Promise<Pod> {
  const client = new HttpKubeClient(access);
  const flag = profileFlag(profile.name);
  try {
    const { items } = await client.list<Pod>(PodKind, namespace === undefined ? {} : { namespace });
    const exact = items.filter((pod) => pod.metadata?.name === name);
    const fitting = exact.length > 0 ? exact : items.filter((pod) => pod.metadata?.name?.startsWith(name));
    const [pod, ...others] = fitting;
    if (pod === undefined) {
      const detail = `the mesh has ${items.length} pods${namespace === undefined ? '' : ` in namespace ${namespace}`}, none of that name`;
      throw problem('no-such-log', { name, detail, flag, components: COMPONENTS.join(', ') });
    }
    if (others.length > 0)
      throw problem('several-pods', {
        name,
        pods: fitting.map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`).join(', '),
      });
    return pod;
  } finally {
    client.close();
  }
}

async function podLogs(profile: Profile, name: string, options: LogsOptions): Promise<number> {
  if (!existsSync(profile.kubeconfig))
    throw problem('no-kubeconfig', { name: profile.name, flag: profileFlag(profile.name) });
  const access = loadKubeconfig(profile.kubeconfig);
  let pod: Pod;
  try {
    pod = await findPod(profile, access, name, options.namespace);
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    throw problem(
      'profile-not-running',
      { name: profile.name, flag: profileFlag(profile.name), others: ` (${messageOf(error)})` },
      error,
    );
  }
  const query = new URLSearchParams();
  const container =
    options.container ?? pod.metadata?.annotations?.[CONTAINER_ANNOTATION] ?? pod.spec?.containers[0]?.name;
  if (container !== undefined) query.set('container', container);
  if (options.follow === true) query.set('follow', 'true');
  if (options.tail !== undefined) query.set('tailLines', String(options.tail));
  const path = `${pathOf(PodKind, pod.metadata?.namespace, pod.metadata?.name, 'log')}?${query}`;
  return await printAnswer(access, path);
}

/** Copies what the API answers to the standard output as it comes. */
async function printAnswer(access: ClusterAccess, path: string): Promise<number> {
  const transport = new Transport(access, LIMITS);
  const response = await transport.stream({ method: 'GET', path }, new AbortController().signal);
  const failed = response.statusCode !== 200;
  await pipeline(response, failed ? process.stderr : process.stdout, { end: false });
  transport.close();
  return failed ? 1 : 0;
}
