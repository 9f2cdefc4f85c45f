// What type each parameter of a statement has, as far as its place in the text tells: SQLite itself does not ask.
import type { StatementText, Token } from './statement-text.ts';
import { OID, oidOfDeclared } from './types.ts';

/** Declared types by table and column, all names in lower case. */
export type Schema = ReadonlyMap<string, ReadonlyMap<string, string>>;

const COMPARISONS = new Set(['=', '<>', '!=', '<', '>', '<=', '>=']);

/** One OID per parameter: from the client, from a cast, from the column it is compared with, set to or inserted in. */
export function parameterTypes(statement: StatementText, declared: readonly number[], schema: Schema): number[] {
  const { tokens, parameterCount } = statement;
  const types = Array.from({ length: parameterCount }, (_, at) => declared[at] ?? OID.unspecified);
  const learn = (parameter: Token | undefined, type: string | undefined): void => {
    if (parameter?.kind !== 'parameter' || type === undefined) return;
    const at = Number(parameter.text.slice(1)) - 1;
    if (types[at] === OID.unspecified) types[at] = oidOfDeclared(type);
  };
  const columns = new Map<string, string>();
  for (const token of tokens) {
    for (const [column, type] of schema.get(nameOf(token)) ?? []) if (!columns.has(column)) columns.set(column, type);
  }
  const typeOf = (token: Token | undefined): string | undefined =>
    token === undefined ? undefined : columns.get(nameOf(token));
  tokens.forEach((token, at) => {
    const next = tokens[at + 1];
    if (next?.text === '::' || (next?.text.toUpperCase() === 'AS' && tokens[at - 2]?.text.toUpperCase() === 'CAST')) {
      learn(token, tokens[at + 2]?.text);
    }
    if (!COMPARISONS.has(token.text)) return;
    learn(next, typeOf(tokens[at - 1]));
    learn(tokens[at - 1], typeOf(next));
  });
  insertedColumns(tokens, schema, learn);
  return types;
}

/** INSERT INTO table (a, b) VALUES ($1, $2), ($3, $4): by position, where the value is a parameter and nothing else. */
function insertedColumns(
  tokens: readonly Token[],
  schema: Schema,
  learn: (parameter: Token, type: string | undefined) => void,
): void {
  const into = tokens.findIndex(({ text }) => text.toUpperCase() === 'INTO');
  const values = tokens.findIndex(({ text }, at) => at > into && text.toUpperCase() === 'VALUES');
  const table = schema.get(nameOf(tokens[into + 1]));
  if (into < 0 || values < 0 || table === undefined) return;
  const named = tokens.slice(into + 2, values).filter(({ kind }) => kind === 'word' || kind === 'quoted');
  const columns = tokens[into + 2]?.text === '(' ? named.map(nameOf) : [...table.keys()];
  let depth = 0;
  let position = 0;
  for (let at = values + 1; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    if (token.text === '(') {
      if (depth === 0) position = 0;
      depth += 1;
    } else if (token.text === ')') {
      depth -= 1;
    } else if (token.text === ',' && depth === 1) {
      position += 1;
    } else if (depth === 0 && token.text !== ',') {
      return;
    } else if (depth === 1 && /^[(,]$/.test(tokens[at - 1]?.text ?? '') && /^[),]$/.test(tokens[at + 1]?.text ?? '')) {
      learn(token, table.get(columns[position] ?? ''));
    }
  }
}

function nameOf(token: Token | undefined): string {
  if (token?.kind === 'quoted') return token.text.slice(1, -1).replaceAll('""', '"').toLowerCase();
  return token?.kind === 'word' ? token.text.toLowerCase() : '';
}
