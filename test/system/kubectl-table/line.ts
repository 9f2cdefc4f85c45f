// One line of the table: what is typed, and what must come of it.

export interface Line {
  /** What is typed after `kubectl`; single and double quotes group words, as in a shell. */
  readonly run: string;
  /** Standard input. */
  readonly input?: string;
  /** Standard output: all of it as text, or what must be in it. */
  readonly out?: string | RegExp;
  /** What must be in standard error; a line that says nothing of it must print no errors, but may print warnings. */
  readonly err?: RegExp;
  /** True for a line that must fail. */
  readonly fails?: boolean;
  /** True for a line whose output comes true after a while: it is typed again until then. */
  readonly until?: boolean;
  /** Environment variables. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Chapter {
  readonly about: string;
  /** Files that the lines name, in the folder they are typed in. */
  readonly files?: Readonly<Record<string, string>>;
  readonly lines: readonly Line[];
}

/** Splits as a shell does, without its expansions. */
export function words(text: string): string[] {
  return [...text.matchAll(/(?:[^\s'"]+|'[^']*'|"[^"]*")+/g)].map(([word]) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, (_, single?: string, double?: string) => single ?? double ?? ''),
  );
}

/** Cells of the table with this first column, apart by single spaces: `row('web', '1/1')` is `^web +1/1\b` anywhere. */
export function row(...cells: readonly string[]): RegExp {
  return new RegExp(`^${cells.map((cell) => cell.replace(/[.*+?^${'$'}{}()|[\]\\/]/g, '\\$&')).join(' +')}( |$)`, 'm');
}
