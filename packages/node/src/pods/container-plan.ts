// Everything decided before a container's process is started; what stands in its way is a typed refusal.
import { mkdirSync } from 'node:fs';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { ConfigSource } from '../config/config-source.ts';
import type { ImageCatalog, ImageProgram } from '../images/image-catalog.ts';
import type { Mount } from '../sandbox/pod-network.ts';
import type { Place } from '../volumes/pod-volumes.ts';
import { neededPaths, volumeMounts, withNeeded } from '../volumes/volume-mounts.ts';
import { resolveCommand, resolveEnvironment } from './environment.ts';

export interface ContainerPlan {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly mounts: readonly Mount[];
  readonly imageId: string;
}

/** No program stands in for the image. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly reason: 'ErrImagePull' | 'InvalidImageName';

  constructor(reason: ImageError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface PlanContext {
  readonly images: ImageCatalog;
  readonly config: ConfigSource;
  readonly pod: Pod;
  /** Where a volume of the pod is on this machine. */
  readonly volume: (name: string) => Place | undefined;
  readonly podIp: string;
  readonly hostIp: string;
  readonly hostname: string;
  /** A directory of the container's own. */
  readonly home: string;
  /** Where programs that keep data find theirs again: the same for every pod of a workload. */
  readonly dataDirectory: string;
  /** What every program gets: PATH, and what the supervisor wants passed on. Nothing else is inherited. */
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly serviceEnv: Readonly<Record<string, string>>;
}

export async function planContainer(container: Container, context: PlanContext): Promise<ContainerPlan> {
  const { pod, home, hostname, dataDirectory } = context;
  const image = container.image ?? '';
  const resolution = context.images.resolveFor({
    image,
    container: container.name,
    containers: pod.spec?.containers.map(({ name }) => name) ?? [],
    annotations: pod.metadata?.annotations ?? {},
  });
  if (resolution.kind !== 'program') {
    throw new ImageError(resolution.kind === 'invalid' ? 'InvalidImageName' : 'ErrImagePull', resolution.message);
  }
  const { program } = resolution;
  mkdirSync(home, { recursive: true });
  if (program.keepsData === true) mkdirSync(dataDirectory, { recursive: true });
  const own = await resolveEnvironment(container, { ...context, service: context.serviceEnv });
  const mounts = volumeMounts(container, context.volume, own);
  return {
    argv: resolveCommand(container, program, own),
    // HOME and TMPDIR apart, since the file system is shared: two pods must not meet in each other's files by chance.
    env: {
      ...context.baseEnv,
      HOME: home,
      TMPDIR: home,
      ...(program.keepsData === true ? { DATA_DIR: dataDirectory } : {}),
      ...program.env,
      HOSTNAME: hostname,
      ...own,
    },
    cwd: container.workingDir ?? program.workingDir ?? '/',
    mounts: mounts.length === 0 ? [] : withNeeded(mounts, needsOf(program, context)),
    imageId: `varka://${program.entrypoint.join(' ')}`,
  };
}

/** The pod's own files, and whatever the program may be started from. */
function needsOf(program: ImageProgram, { home, dataDirectory, baseEnv }: PlanContext): string[] {
  const words = [program.entrypoint, ...Object.values(program.commands ?? {})].flat();
  const others = [home, dataDirectory, program.workingDir ?? '/', ...Object.values(baseEnv), ...ETC_FILES];
  return neededPaths(words, baseEnv['PATH'] ?? '', others);
}

/** What makes the pod a place of its own. */
const ETC_FILES = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf', '/etc/nsswitch.conf'];
