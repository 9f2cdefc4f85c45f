// A command line by the rules of Go's flag package: `-name value`, `-name=value`, `--name`, flags before arguments.
import { parseDuration } from './go-format.ts';

export type FlagKind = 'bool' | 'int' | 'float' | 'string' | 'list' | 'duration';
export type FlagKinds = Readonly<Record<string, FlagKind>>;

export interface ParsedFlags {
  has(name: string): boolean;
  bool(name: string, standard: boolean): boolean;
  number(name: string, standard: number): number;
  string(name: string, standard: string): string;
  list(name: string): readonly string[];
  readonly rest: readonly string[];
}

/** The text is what Go's flag package says. */
export class FlagError extends Error {
  override readonly name = 'FlagError';
}

/** `-help` or `-h`, where neither is a flag (Go: flag.ErrHelp). */
export class HelpAsked extends FlagError {
  constructor() {
    super('help requested');
  }
}

export function parseFlags(words: readonly string[], kinds: FlagKinds): ParsedFlags {
  const values = new Map<string, string[]>();
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at] as string;
    if (word === '--') {
      at += 1;
      break;
    }
    const match = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(word);
    if (match === null) break;
    const [, name = '', inline] = match;
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined && (name === 'help' || name === 'h')) throw new HelpAsked();
    if (kind === undefined) throw new FlagError(`flag provided but not defined: -${name}`);
    let value = inline;
    if (value === undefined) {
      if (kind === 'bool') value = 'true';
      else value = words[++at];
      if (value === undefined) throw new FlagError(`flag needs an argument: -${name}`);
    }
    check(name, kind, value);
    values.set(name, kind === 'list' ? [...(values.get(name) ?? []), value] : [value]);
  }
  const one = (name: string): string | undefined => values.get(name)?.at(-1);
  return {
    has: (name) => values.has(name),
    bool: (name, standard) => (one(name) === undefined ? standard : /^(1|t|true)$/i.test(one(name) ?? '')),
    number(name, standard) {
      const value = one(name);
      if (value === undefined) return standard;
      return kinds[name] === 'duration' ? (parseDuration(value) ?? standard) : Number(value);
    },
    string: (name, standard) => one(name) ?? standard,
    list: (name) => values.get(name) ?? [],
    rest: words.slice(at),
  };
}

function check(name: string, kind: FlagKind, value: string): void {
  const right =
    kind === 'string' ||
    kind === 'list' ||
    (kind === 'bool' && /^(1|0|t|f|true|false)$/i.test(value)) ||
    (kind === 'int' && /^[+-]?\d+$/.test(value)) ||
    (kind === 'float' && value.trim() !== '' && !Number.isNaN(Number(value))) ||
    (kind === 'duration' && parseDuration(value) !== undefined);
  if (right) return;
  const what = kind === 'bool' ? 'boolean value' : 'value';
  throw new FlagError(`invalid ${what} "${value}" for flag -${name}: parse error`);
}
