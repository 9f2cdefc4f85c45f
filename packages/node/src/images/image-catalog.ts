// From an image name to a program on this machine.

/** What stands in for an image: its entrypoint, as an OCI image config has it. */
export interface ImageProgram {
  /** Used when the container names no `command`; `args` of the container are appended. Absolute paths. */
  readonly entrypoint: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
}

/** One row: the image's repository without tag or digest, `*` allowed for any run of characters but `/`. */
export interface CatalogEntry {
  readonly image: string;
  readonly program: ImageProgram;
}
