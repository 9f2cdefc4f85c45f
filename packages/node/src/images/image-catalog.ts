// From an image name to a program on this machine.
import { parseImage } from './image-reference.ts';
import { shellWords } from './shell-words.ts';

/** What stands in for an image: its entrypoint, as an OCI image config has it. */
export interface ImageProgram {
  /** Used when the container names no `command`; `args` of the container are appended. Absolute paths. */
  readonly entrypoint: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  /**
   * What stands in for the image's own executables, by the name or path that a container's `command` or an exec gives:
   * `/app`, `fortio`, or a bare word that old clients leave of a command (`load`). Its words are replaced by the argv.
   */
  readonly commands?: Readonly<Record<string, readonly string[]>>;
  /** True: the program keeps data. It finds a directory that outlives the pod in the variable DATA_DIR. */
  readonly keepsData?: boolean;
}

/** One row: the image's repository without tag or digest, `*` allowed for any run of characters but `/`. */
export interface CatalogEntry {
  readonly image: string;
  /** The tags it stands in for; all when left out. */
  readonly tags?: readonly string[];
  readonly program: ImageProgram;
}

/** The container an annotation means when it names none; Istio's injection sets it to the application's. */
const DEFAULT_CONTAINER_ANNOTATION = 'kubectl.kubernetes.io/default-container';
export const COMMAND_ANNOTATION = 'varka.dev/command';

export type Resolution =
  | { readonly kind: 'program'; readonly program: ImageProgram }
  | { readonly kind: 'invalid'; readonly message: string }
  | { readonly kind: 'unknown'; readonly message: string };

/** What `resolve` must know of the pod beside the image. */
export interface ImageUse {
  readonly image: string;
  readonly container: string;
  readonly containers: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
}

interface Row {
  readonly pattern: RegExp;
  readonly tags: readonly string[] | undefined;
  readonly literal: number;
  readonly program: ImageProgram;
}

export class ImageCatalog {
  readonly #rows: readonly Row[];

  /**
   * Of two rows that match, one that names the tag wins over one that does not, then the one with more literal
   * characters; of equals, the later (a user's over ours).
   */
  constructor(entries: readonly CatalogEntry[]) {
    this.#rows = entries
      .map((entry) => rowOf(entry))
      .reverse()
      .sort((a, b) => Number(b.tags !== undefined) - Number(a.tags !== undefined) || b.literal - a.literal);
  }

  resolve(image: string): ImageProgram | undefined {
    const reference = parseImage(image);
    if (reference === undefined) return undefined;
    const tag = reference.tag ?? 'latest';
    return this.#rows.find(({ pattern, tags }) => pattern.test(reference.repository) && (tags?.includes(tag) ?? true))
      ?.program;
  }

  /** With the pod's own word first: its annotation stands in for the image. */
  resolveFor(use: ImageUse): Resolution {
    const annotated = annotatedCommand(use);
    if (annotated !== undefined) return annotated;
    if (parseImage(use.image) === undefined) {
      return { kind: 'invalid', message: `couldn't parse image name "${use.image}": invalid reference format` };
    }
    const program = this.resolve(use.image);
    return program === undefined ? { kind: 'unknown', message: unknownImage(use) } : { kind: 'program', program };
  }
}

function rowOf({ image, tags, program }: CatalogEntry): Row {
  const reference = parseImage(image);
  if (reference === undefined || reference.tag !== undefined || reference.digest !== undefined) {
    throw new TypeError(`image catalog: "${image}" is not a repository (a name without tag or digest, * as wildcard)`);
  }
  if (program.entrypoint.length === 0) throw new TypeError(`image catalog: "${image}" has an empty command`);
  const { repository } = reference;
  const pattern = repository
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^/]*');
  return {
    pattern: new RegExp(`^${pattern}$`),
    tags,
    literal: repository.replaceAll('*', '').length,
    program,
  };
}

/** `varka.dev/command.NAME` is for that container; `varka.dev/command` for the pod's default one. */
function annotatedCommand({ container, containers, annotations }: ImageUse): Resolution | undefined {
  const byName = `${COMMAND_ANNOTATION}.${container}`;
  const standard =
    annotations[DEFAULT_CONTAINER_ANNOTATION] ?? containers.find((name) => name !== 'istio-proxy') ?? containers[0];
  const key = annotations[byName] !== undefined ? byName : container === standard ? COMMAND_ANNOTATION : undefined;
  const value = key === undefined ? undefined : annotations[key];
  if (key === undefined || value === undefined) return undefined;
  try {
    const words = value.trimStart().startsWith('[') ? jsonWords(value) : shellWords(value);
    if (words.length === 0) throw new SyntaxError('it is empty');
    return { kind: 'program', program: { entrypoint: words } };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const message = `annotation ${key} is not a command: ${error.message}; write a JSON array of strings or shell words`;
    return { kind: 'invalid', message };
  }
}

function jsonWords(value: string): string[] {
  const parsed: unknown = JSON.parse(value);
  if (!Array.isArray(parsed) || !parsed.every((word) => typeof word === 'string')) {
    throw new SyntaxError('it is not an array of strings');
  }
  return parsed;
}

function unknownImage({ image, container }: ImageUse): string {
  const repository = parseImage(image)?.repository.replace(/^docker\.io\/(library\/)?/, '') ?? image;
  return (
    `no program on this machine stands in for image "${image}": add one to varka.yaml ` +
    `(images: [{image: "${repository}", command: ["/path/to/program"]}]) and start Varka again, or annotate the pod with ` +
    `${COMMAND_ANNOTATION}.${container}: "/path/to/program --flags"`
  );
}
