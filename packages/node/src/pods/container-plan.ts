// Everything decided before a container's process is started; what stands in its way is a typed refusal.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import { ContainerConfigError } from '../config/config-error.ts';
import type { ConfigSource } from '../config/config-source.ts';
import type { ImageProgram } from '../images/image-catalog.ts';
import type { ImageResolver, ImageUse } from '../images/image-resolver.ts';
import type { Mount, RootDirectory, TerminalSize } from '../sandbox/pod-network.ts';
import type { Place } from '../volumes/pod-volumes.ts';
import { neededPaths, volumeMounts, withNeeded } from '../volumes/volume-mounts.ts';
import { resolveCommand, resolveEnvironment, standIn } from './environment.ts';

export interface ContainerPlan {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly mounts: readonly Mount[];
  /** An image's own file system, where it has one. */
  readonly root?: RootDirectory;
  /** Declared ones, TCP. */
  readonly ports: readonly number[];
  /** The image's own executables, for commands that are run beside its program. */
  readonly commands: NonNullable<ImageProgram['commands']>;
  readonly imageId: string;
  /** How long the image's pull took, when there was one. */
  readonly pulledMs?: number;
}

/** The same surroundings for another command: what an exec, a hook or an exec probe gets. */
export function commandPlan(plan: ContainerPlan, command: readonly string[]): ContainerPlan {
  return { ...plan, argv: standIn(command, plan) };
}

/** Until a client tells the size of its own. */
export const FIRST_SIZE: TerminalSize = { columns: 80, rows: 24 };

/** What container runtimes tell a program that has a terminal. */
export function onTerminal(plan: ContainerPlan): ContainerPlan {
  return { ...plan, env: { TERM: 'xterm', ...plan.env } };
}

export interface PlanContext {
  readonly images: ImageResolver;
  readonly config: ConfigSource;
  readonly pod: Pod;
  /** Where a volume of the pod is on this machine. */
  readonly volume: (name: string) => Place | undefined;
  readonly podIp: string;
  readonly hostIp: string;
  readonly hostname: string;
  /** A directory of the container's own. */
  readonly home: string;
  /** What the container's runs change of their image's files. */
  readonly layers: string;
  /** Told when the image is being fetched. */
  readonly onPull: () => void;
  /** From then on nothing may be made: the pod's directory goes. */
  readonly stop: AbortSignal;
  /** Where programs that keep data find theirs again: the same for every pod of a workload. */
  readonly dataDirectory: string;
  /** What every program gets: PATH, and what the supervisor wants passed on. Nothing else is inherited. */
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly serviceEnv: Readonly<Record<string, string>>;
}

/** Whatever takes its time comes first; what is made on disk is made at one go. */
export async function planContainer(container: Container, context: PlanContext): Promise<ContainerPlan> {
  const { program, pulledMs } = await context.images.resolve(useOf(container, context.pod), context.onPull);
  const own = await resolveEnvironment(container, { ...context, service: context.serviceEnv });
  context.stop.throwIfAborted();
  const argv = resolveCommand(container, program, own);
  if (argv.length === 0)
    throw new ContainerConfigError(`no command specified: neither by image ${container.image} nor by the container`);
  const mounts = volumeMounts(container, context.volume, own);
  return {
    argv,
    env: { ...surroundingsOf(program, context), ...program.env, HOSTNAME: context.hostname, ...own },
    cwd: container.workingDir ?? program.workingDir ?? '/',
    ...(program.root === undefined
      ? { mounts: mounts.length === 0 ? [] : withNeeded(mounts, needsOf(program, context)) }
      : { mounts, root: { image: program.root.directory, layer: freshLayer(context.layers) } }),
    commands: program.commands ?? {},
    imageId: program.root?.id ?? `varka://${program.entrypoint.join(' ')}`,
    ...(pulledMs === undefined ? {} : { pulledMs }),
    ports: (container.ports ?? []).flatMap(({ containerPort, protocol = 'TCP' }) =>
      protocol === 'TCP' ? [containerPort] : [],
    ),
  };
}

function useOf(container: Container, { spec, metadata }: Pod): ImageUse {
  const policy = container.imagePullPolicy;
  return {
    image: container.image ?? '',
    pullPolicy: policy === 'Always' || policy === 'Never' ? policy : 'IfNotPresent',
    container: container.name,
    containers: spec?.containers.map(({ name }) => name) ?? [],
    annotations: metadata?.annotations ?? {},
  };
}

/** What a program finds in its environment before its image or the pod say anything. */
function surroundingsOf({ root, keepsData }: ImageProgram, context: PlanContext): Record<string, string> {
  const { home, dataDirectory, baseEnv } = context;
  if (root !== undefined) return { PATH: IMAGE_PATH, HOME: '/root' };
  mkdirSync(home, { recursive: true });
  // HOME and TMPDIR apart, since the file system is shared: two pods must not meet in each other's files by chance.
  const shared = { ...baseEnv, HOME: home, TMPDIR: home };
  if (keepsData !== true) return shared;
  mkdirSync(dataDirectory, { recursive: true });
  return { ...shared, DATA_DIR: dataDirectory };
}

/** Every run begins with the image as it is; what earlier ones changed is gone. */
function freshLayer(layers: string): string {
  rmSync(layers, { recursive: true, force: true });
  mkdirSync(layers, { recursive: true });
  return mkdtempSync(join(layers, 'run-'));
}

/** Where programs are in images that do not say; Docker's default. */
const IMAGE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The pod's own files, and whatever the program may be started from. */
function needsOf(program: ImageProgram, { home, dataDirectory, baseEnv }: PlanContext): string[] {
  const words = [program.entrypoint, ...Object.values(program.commands ?? {})].flat();
  const others = [home, dataDirectory, program.workingDir ?? '/', ...Object.values(baseEnv), ...ETC_FILES];
  return neededPaths(words, baseEnv['PATH'] ?? '', others);
}

/** What makes the pod a place of its own. */
const ETC_FILES = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf', '/etc/nsswitch.conf'];
