// Which program an image name of a pod means: the pod's own word, the catalog's, or the image of a container engine.
import { type ContainerEngine, NO_ENGINE } from './container-engine.ts';
import type { ImageCatalog, ImageProgram } from './image-catalog.ts';
import { parseImage } from './image-reference.ts';
import {
  type Annotated,
  type AnnotatedContainer,
  AnnotationError,
  COMMAND_ANNOTATION,
  readAnnotations,
} from './pod-annotations.ts';

/** Container.imagePullPolicy */
export type PullPolicy = 'Always' | 'IfNotPresent' | 'Never';

export interface ImageUse extends AnnotatedContainer {
  readonly image: string;
  readonly pullPolicy: PullPolicy;
}

/** No program can be had for the image; `reason` is what a container waits for then. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly reason: 'ErrImagePull' | 'ErrImageNeverPull' | 'InvalidImageName';

  constructor(reason: ImageError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export interface Resolution {
  readonly program: ImageProgram;
  /** How long its pull took, when there was one. */
  readonly pulledMs?: number;
}

export class ImageResolver {
  readonly #catalog: ImageCatalog;
  readonly #engine: ContainerEngine;

  constructor(catalog: ImageCatalog, engine: ContainerEngine = NO_ENGINE) {
    this.#catalog = catalog;
    this.#engine = engine;
  }

  /** Tells when an image that was unknown may be known now. */
  onChange(listener: () => void): () => void {
    return this.#catalog.onChange(listener);
  }

  /** Rejects with an `ImageError`. `onPull` hears that a pull begins. */
  async resolve(use: ImageUse, onPull: () => void): Promise<Resolution> {
    const annotated = annotationsOf(use);
    const { command } = annotated;
    const found = command === undefined ? await this.#find(use, onPull) : { program: { entrypoint: command } };
    const { program } = found;
    return {
      ...found,
      program: {
        ...program,
        ...(annotated.workingDir === undefined ? {} : { workingDir: annotated.workingDir }),
        ...(annotated.env === undefined ? {} : { env: { ...program.env, ...annotated.env } }),
      },
    };
  }

  async #find(use: ImageUse, onPull: () => void): Promise<Resolution> {
    const { image } = use;
    if (parseImage(image) === undefined) {
      throw new ImageError('InvalidImageName', `couldn't parse image name "${image}": invalid reference format`);
    }
    const row = this.#catalog.resolve(image);
    if (row !== undefined && !row.standsIn) return row;
    // What merely stands in gives way to the image itself, but nothing is fetched for that.
    if (row !== undefined) return { program: (await this.#engine.find(image)) ?? row.program };
    return this.#ofEngine(use, onPull);
  }

  async #ofEngine(use: ImageUse, onPull: () => void): Promise<Resolution> {
    const { image, pullPolicy } = use;
    const present = await this.#engine.find(image);
    if (present !== undefined && (pullPolicy !== 'Always' || present.root?.local === true)) return { program: present };
    if (pullPolicy === 'Never') {
      const message = `Container image "${image}" is not present with pull policy of Never`;
      throw new ImageError('ErrImageNeverPull', `${message}; ${advice(use, this.#engine.name)}`);
    }
    if (this.#engine.name === undefined) throw new ImageError('ErrImagePull', unknown(use, undefined));
    const begun = performance.now();
    onPull();
    try {
      await this.#engine.pull(image);
    } catch (error) {
      const { message } = error as Error;
      throw new ImageError('ErrImagePull', `${message}; ${unknown(use, this.#engine.name)}`, { cause: error });
    }
    const program = await this.#engine.find(image);
    if (program === undefined) throw new ImageError('ErrImagePull', unknown(use, this.#engine.name));
    return { program, pulledMs: performance.now() - begun };
  }
}

function annotationsOf(use: ImageUse): Annotated {
  try {
    return readAnnotations(use);
  } catch (error) {
    if (error instanceof AnnotationError) throw new ImageError('InvalidImageName', error.message, { cause: error });
    throw error;
  }
}

function unknown(use: ImageUse, engine: string | undefined): string {
  return `no program on this machine stands in for image "${use.image}": ${advice(use, engine)}`;
}

function advice({ image, container }: ImageUse, engine: string | undefined): string {
  const repository = parseImage(image)?.repository.replace(/^docker\.io\/(library\/)?/, '') ?? image;
  const fetch =
    engine === undefined
      ? 'install podman or docker and pull the image, where pods have namespaces'
      : `pull or build it with ${engine}`;
  return (
    `add one to varka.yaml (images: [{image: "${repository}", command: ["/path/to/program"]}]), annotate the pod with ` +
    `${COMMAND_ANNOTATION}.${container}: "/path/to/program --flags", or ${fetch}`
  );
}
