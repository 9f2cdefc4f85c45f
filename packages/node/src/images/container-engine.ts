// What is wanted of a container engine: its images. Programs run in our sandboxes, whichever engine keeps the image.
import type { ImageProgram } from './image-catalog.ts';

export interface ContainerEngine {
  /** `podman` or `docker`; undefined where neither is installed. */
  readonly name: string | undefined;
  /** The image of this name as a program with a root of its own; undefined when it is not on this machine. */
  find(image: string): Promise<ImageProgram | undefined>;
  /** Fetches the image from its registry; rejects with the engine's own words. */
  pull(image: string): Promise<void>;
}

/** For machines without one, and for sandboxes that cannot give a program another root directory. */
export const NO_ENGINE: ContainerEngine = {
  name: undefined,
  find: async () => undefined,
  pull: async () => {
    throw new Error('no container engine is installed');
  },
};
