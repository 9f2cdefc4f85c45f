// A row that a demo gives the image catalog, as plain data: which image names its program stands in for.

export interface DemoImage {
  /** The image's repository, without tag; `*` for any run of characters but `/`. */
  readonly image: string;
  /** The program, to be run by Node. */
  readonly module: URL;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Names and paths by which manifests and `kubectl exec` start the image's program, each with its arguments. */
  readonly commands?: Readonly<Record<string, readonly string[]>>;
  /** True: it keeps data, in the directory that DATA_DIR names. */
  readonly keepsData?: boolean;
  /** The tags it stands in for; all when left out. */
  readonly tags?: readonly string[];
}
