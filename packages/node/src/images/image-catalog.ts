// From an image name to a program on this machine.
import { parseImage } from './image-reference.ts';

/** What stands in for an image: its entrypoint, as an OCI image config has it. */
export interface ImageProgram {
  /** Used when the container names no `command`; `args` of the container are appended. Absolute paths. */
  readonly entrypoint: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  /** Appended when the container names neither `command` nor `args` (OCI: Cmd). */
  readonly defaultArgs?: readonly string[];
  /**
   * What stands in for the image's own executables, by the name or path that a container's `command` or an exec gives:
   * `/app`, `fortio`, or a bare word that old clients leave of a command (`load`). Its words are replaced by the argv.
   */
  readonly commands?: Readonly<Record<string, readonly string[]>>;
  /** True: the program keeps data. It finds a directory that outlives the pod in the variable DATA_DIR. */
  readonly keepsData?: boolean;
  /** An image's own root file system; without it the program sees the machine's. */
  readonly root?: ImageRoot;
}

/** An unpacked OCI image. */
export interface ImageRoot {
  /** `sha256:…` */
  readonly id: string;
  /** Where its files are on this machine. Read only: they are every container's. */
  readonly directory: string;
  /** Built on this machine: no registry has it. */
  readonly local: boolean;
}

/** One row: the image's repository without tag or digest, `*` allowed for any run of characters but `/`. */
export interface CatalogEntry {
  readonly image: string;
  /** The tags it stands in for; all when left out. */
  readonly tags?: readonly string[];
  readonly program: ImageProgram;
  /** True: it gives way to the image itself where a container engine has it, and to every row without this. */
  readonly standsIn?: boolean;
}

interface Row {
  readonly pattern: RegExp;
  readonly tags: readonly string[] | undefined;
  readonly literal: number;
  readonly standsIn: boolean;
  readonly program: ImageProgram;
}

export class ImageCatalog {
  readonly #listeners = new Set<() => void>();
  #rows: readonly Row[] = [];

  constructor(entries: readonly CatalogEntry[]) {
    this.replace(entries);
  }

  /**
   * Of two rows that match, one that merely stands in loses, then one that names the tag wins over one that does not,
   * then the one with more literal characters; of equals, the later.
   */
  replace(entries: readonly CatalogEntry[]): void {
    this.#rows = entries
      .map((entry) => rowOf(entry))
      .reverse()
      .sort(
        (a, b) =>
          Number(a.standsIn) - Number(b.standsIn) ||
          Number(b.tags !== undefined) - Number(a.tags !== undefined) ||
          b.literal - a.literal,
      );
    for (const listener of [...this.#listeners]) listener();
  }

  /** Called after every replacement; answers what takes the listener off again. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  resolve(image: string): { readonly program: ImageProgram; readonly standsIn: boolean } | undefined {
    const reference = parseImage(image);
    if (reference === undefined) return undefined;
    const tag = reference.tag ?? 'latest';
    return this.#rows.find(({ pattern, tags }) => pattern.test(reference.repository) && (tags?.includes(tag) ?? true));
  }
}

function rowOf({ image, tags, program, standsIn = false }: CatalogEntry): Row {
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
    standsIn,
    program,
  };
}
