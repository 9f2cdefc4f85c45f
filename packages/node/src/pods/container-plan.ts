// Everything decided before a container's process is started; what stands in its way is a typed refusal.
import { mkdirSync } from 'node:fs';
import type { Pod } from '@varka/kube/client/typed-objects.ts';
import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { ImageCatalog } from '../images/image-catalog.ts';
import { type ConfigSource, resolveCommand, resolveEnvironment } from './environment.ts';

export interface ContainerPlan {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
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
    imageId: `varka://${program.entrypoint.join(' ')}`,
  };
}
