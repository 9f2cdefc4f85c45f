// SQL as text: where statements end, what each one does, and PostgreSQL's spellings turned into SQLite's.
import { SqlError } from './sql-error.ts';

export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'parameter' | 'symbol';
  readonly text: string;
  /** As written, with what stood before it (blanks, comments) left out. */
  readonly start: number;
  readonly end: number;
}

export interface StatementText {
  /** What SQLite is given. Empty when the text held blanks and comments only. */
  readonly sql: string;
  readonly tokens: readonly Token[];
  /** SELECT, INSERT, BEGIN …: the word that says what it does, looked up behind WITH. */
  readonly verb: string;
  /** The highest `$n`. */
  readonly parameterCount: number;
}

/** PostgreSQL's limit of a Bind message, a 16-bit count. */
const MAX_PARAMETERS = 65_535;

// One alternative per token; the order matters. Strings: 'it''s'; a quoted identifier: "a ""b""".
const TOKEN =
  /(?<blank>\s+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<string>'(?:[^']|'')*(?<stringEnd>'?))|(?<quoted>"(?:[^"]|"")*"?)|(?<parameter>\$\d+)|(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?<symbol>::|<>|!=|<=|>=|\|\||->>?|[\s\S])/gy;

/** Splits at `;`, outside of strings, comments and the bodies of triggers. Throws an SqlError 42601. */
export function splitStatements(text: string): StatementText[] {
  const statements: StatementText[] = [];
  let current: Token[] = [];
  const finish = (): void => {
    if (current.length > 0) statements.push(statementOf(current));
    current = [];
  };
  for (const token of tokenize(text)) {
    if (token.text === ';' && !insideTrigger(current)) finish();
    else current.push(token);
  }
  finish();
  return statements;
}

function* tokenize(text: string): Generator<Token> {
  TOKEN.lastIndex = 0;
  for (;;) {
    const start = TOKEN.lastIndex;
    if (start >= text.length) return;
    const match = TOKEN.exec(text);
    // The last alternative takes any character, so there always is a match.
    const groups = match?.groups ?? {};
    const end = TOKEN.lastIndex;
    if (groups['blank'] !== undefined) continue;
    const kind =
      (['string', 'quoted', 'parameter', 'number', 'word'] as const).find((name) => groups[name]) ?? 'symbol';
    const body = text.slice(start, end);
    if (kind === 'string' && groups['stringEnd'] === '') {
      throw new SqlError('42601', `unterminated quoted string at or near "${body.slice(0, 40)}"`);
    }
    yield { kind, text: body, start, end };
  }
}

/** CREATE TRIGGER … BEGIN …; …; END has semicolons of its own. */
function insideTrigger(tokens: readonly Token[]): boolean {
  const words = tokens.slice(0, 4).map(({ text }) => text.toUpperCase());
  if (words[0] !== 'CREATE' || !words.includes('TRIGGER')) return false;
  return tokens.at(-1)?.text.toUpperCase() !== 'END';
}

function statementOf(tokens: readonly Token[]): StatementText {
  let parameterCount = 0;
  for (const { kind, text: name } of tokens) {
    if (kind !== 'parameter') continue;
    const number = Number(name.slice(1));
    if (number < 1 || number > MAX_PARAMETERS) throw new SqlError('42P02', `there is no parameter ${name}`);
    parameterCount = Math.max(parameterCount, number);
  }
  return { sql: toSqlite(tokens), tokens, verb: verbOf(tokens), parameterCount };
}

function verbOf(tokens: readonly Token[]): string {
  const first = tokens[0]?.text.toUpperCase() ?? '';
  if (first !== 'WITH') return first;
  let depth = 0;
  for (const { text } of tokens) {
    if (text === '(') depth += 1;
    else if (text === ')') depth -= 1;
    else if (depth === 0 && /^(select|values|insert|replace|update|delete)$/i.test(text)) return text.toUpperCase();
  }
  return 'SELECT';
}

/** Words that mean the same under another name. A SERIAL column that is the primary key counts by itself in SQLite. */
const WORDS: Readonly<Record<string, string>> = {
  SERIAL: 'INTEGER',
  BIGSERIAL: 'INTEGER',
  SMALLSERIAL: 'INTEGER',
  ILIKE: 'LIKE',
};

/** `$1` becomes `?1`, `x::type` becomes `CAST(x AS type)` for a single token x; all else is left as it was written. */
function toSqlite(tokens: readonly Token[]): string {
  const parts: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    const next = tokens[at + 1];
    const written = sqliteToken(token);
    if (next?.text === '::') {
      const type = tokens[at + 2];
      if (type?.kind !== 'word' || token.kind === 'symbol') {
        throw new SqlError('42601', 'syntax error at or near "::"', 'write CAST(expression AS type)');
      }
      parts.push(cast(written, type.text));
      at += 2;
    } else {
      parts.push(written);
    }
    const following = tokens[at + 1];
    // Blanks and comments between two tokens shrink to one blank, none to none: `a.b` stays `a.b`.
    if (following !== undefined && following.start > (tokens[at] as Token).end) parts.push(' ');
  }
  return parts.join('');
}

function sqliteToken({ kind, text }: Token): string {
  if (kind === 'parameter') return `?${text.slice(1)}`;
  return kind === 'word' ? (WORDS[text.toUpperCase()] ?? text) : text;
}

/** A cast to a type SQLite has no affinity for (json, timestamptz, uuid) would make a number of it: those stay text. */
function cast(expression: string, type: string): string {
  const affinity = /int|serial|bool/i.test(type)
    ? 'INTEGER'
    : /real|floa|doub|numeric|decimal/i.test(type)
      ? 'REAL'
      : /bytea|blob/i.test(type)
        ? 'BLOB'
        : 'TEXT';
  return `CAST(${expression} AS ${affinity})`;
}
