// A request as rules see it.

/** What a rule may look at. Header names are lower-case; a repeated header's values come joined by ",". */
export interface RequestView {
  readonly method: string;
  /** Host header or :authority, as the client sent it. */
  readonly authority: string;
  /** Path with query. */
  readonly path: string;
  readonly scheme: string;
  header(name: string): string | undefined;
}
