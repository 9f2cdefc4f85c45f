// Errors as PostgreSQL's clients know them: a SQLSTATE code, a message, perhaps a hint.

export class SqlError extends Error {
  override readonly name = 'SqlError';
  /** Five characters; PostgreSQL's appendix A lists them. */
  readonly sqlState: string;
  readonly hint: string | undefined;
  /** The constraint's column, where there is one. */
  readonly column: string | undefined;

  constructor(sqlState: string, message: string, hint?: string, column?: string) {
    super(message);
    this.sqlState = sqlState;
    this.hint = hint;
    this.column = column;
  }
}

/** SQLite's result codes, https://www.sqlite.org/rescode.html: the extended ones where they say more. */
const CODES: Readonly<Record<number, string>> = {
  8: '25006', // SQLITE_READONLY: read_only_sql_transaction
  10: '58030', // SQLITE_IOERR: io_error
  11: 'XX001', // SQLITE_CORRUPT: data_corrupted
  13: '53100', // SQLITE_FULL: disk_full
  18: '54000', // SQLITE_TOOBIG: program_limit_exceeded
  20: '22P02', // SQLITE_MISMATCH: invalid_text_representation
  23: '42501', // SQLITE_AUTH: insufficient_privilege
  275: '23514', // SQLITE_CONSTRAINT_CHECK
  787: '23503', // SQLITE_CONSTRAINT_FOREIGNKEY
  1299: '23502', // SQLITE_CONSTRAINT_NOTNULL
  1555: '23505', // SQLITE_CONSTRAINT_PRIMARYKEY
  2067: '23505', // SQLITE_CONSTRAINT_UNIQUE
  2579: '23505', // SQLITE_CONSTRAINT_ROWID
};

/** What SQLite says only in words: its code for all of these is SQLITE_ERROR. */
const TEXTS: readonly (readonly [RegExp, string, (match: RegExpExecArray) => string])[] = [
  [/^near "(.*)": syntax error$/s, '42601', ([, near]) => `syntax error at or near "${near}"`],
  [/^incomplete input$/, '42601', () => 'syntax error at end of input'],
  [/^unrecognized token: "(.*)"$/s, '42601', ([, near]) => `syntax error at or near "${near}"`],
  [/^no such table: (?:main\.)?(.*)$/, '42P01', ([, name]) => `relation "${name}" does not exist`],
  [/^no such column: (.*)$/, '42703', ([, name]) => `column "${name}" does not exist`],
  [/^table (\S+) has no column named (.*)$/, '42703', ([, t, c]) => `column "${c}" of relation "${t}" does not exist`],
  [/^no such function: (.*)$/, '42883', ([, name]) => `function ${name} does not exist`],
  [/^wrong number of arguments to function (.*)$/, '42883', ([, name]) => `function ${name} does not exist`],
  [/^(?:table|view) (\S+) already exists$/, '42P07', ([, name]) => `relation "${name}" already exists`],
  [/^index (\S+) already exists$/, '42P07', ([, name]) => `relation "${name}" already exists`],
  [/^no such index: (.*)$/, '42704', ([, name]) => `index "${name}" does not exist`],
  [/^duplicate column name: (.*)$/, '42701', ([, name]) => `column "${name}" specified more than once`],
  [/^ambiguous column name: (.*)$/, '42702', ([, name]) => `column reference "${name}" is ambiguous`],
  [/^no such savepoint: (.*)$/, '3B001', ([, name]) => `savepoint "${name}" does not exist`],
];

interface SqliteFailure extends Error {
  readonly code: 'ERR_SQLITE_ERROR';
  readonly errcode: number;
}

export function isSqliteFailure(error: unknown): error is SqliteFailure {
  return error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR';
}

/** Any failure, in PostgreSQL's words; what has no word of its own is XX000, internal_error. */
export function toSqlError(error: unknown): SqlError {
  if (error instanceof SqlError) return error;
  if (!isSqliteFailure(error)) return new SqlError('XX000', error instanceof Error ? error.message : String(error));
  const { errcode, message } = error;
  const constraint = /^(UNIQUE|NOT NULL) constraint failed: (?:index ')?([^',]*)/.exec(message);
  if (constraint !== null) {
    const [, kind, path = ''] = constraint;
    const [table = '', column = ''] = path.split('.');
    return kind === 'UNIQUE'
      ? new SqlError(
          '23505',
          `duplicate key value violates unique constraint "${table}_${column}_key"`,
          undefined,
          column,
        )
      : new SqlError(
          '23502',
          `null value in column "${column}" of relation "${table}" violates not-null constraint`,
          undefined,
          column,
        );
  }
  for (const [pattern, state, say] of TEXTS) {
    const match = pattern.exec(message);
    if (match !== null) return new SqlError(state, say(match));
  }
  const state = CODES[errcode] ?? CODES[errcode & 0xff] ?? 'XX000';
  return new SqlError(state, message);
}
