// What can go wrong with the store, each with what it means and what to do.

export type StoreErrorCode = 'corrupt' | 'locked' | 'unavailable' | 'full' | 'write-failed' | 'newer' | 'closed';

export class StoreError extends Error {
  readonly code: StoreErrorCode;
  readonly path: string;

  constructor(code: StoreErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.path = path;
  }
}

/** The file is not a database, or parts of it do not make sense. */
export class StoreCorruptError extends StoreError {
  constructor(path: string, detail: string, options?: ErrorOptions) {
    super(
      'corrupt',
      path,
      `the store ${path} is damaged: ${detail}. Nothing was changed. Put back a copy of it, or move it and its -wal file away to start with an empty store.`,
      options,
    );
  }
}

/** Another process has the file open. */
export class StoreLockedError extends StoreError {
  constructor(path: string, options?: ErrorOptions) {
    super(
      'locked',
      path,
      `the store ${path} is in use by another process. Stop that one, or use another profile.`,
      options,
    );
  }
}

export class StoreUnavailableError extends StoreError {
  constructor(path: string, detail: string, options?: ErrorOptions) {
    super(
      'unavailable',
      path,
      `the store ${path} cannot be opened: ${detail}. Check that its folder exists and may be written to.`,
      options,
    );
  }
}

export class StoreNewerError extends StoreError {
  constructor(path: string, found: number, known: number) {
    super(
      'newer',
      path,
      `the store ${path} has format ${found}; this version reads up to ${known}. Use the newer version that wrote it, or another profile.`,
    );
  }
}

/** What is stored is as before. */
export class StoreFullError extends StoreError {
  constructor(path: string, consequence: string, options?: ErrorOptions) {
    super(
      'full',
      path,
      `no room left for the store ${path}; ${consequence}. Free some disk space and try again.`,
      options,
    );
  }
}

/** The write was not done, for another reason than room. */
export class StoreWriteError extends StoreError {
  constructor(path: string, detail: string, options?: ErrorOptions) {
    super(
      'write-failed',
      path,
      `the store ${path} could not be written: ${detail}; the change was not stored.`,
      options,
    );
  }
}

/** The object is not as the writer expected: somebody else wrote first. */
export class RevisionConflict extends Error {
  readonly found: 'absent' | 'present' | 'changed';

  constructor(found: RevisionConflict['found']) {
    super(`the stored object is ${found}`);
    this.name = 'RevisionConflict';
    this.found = found;
  }
}

/** The history does not reach back to the revision asked for. */
export class RevisionCompacted extends Error {
  readonly oldest: number;

  constructor(oldest: number) {
    super(`history begins at revision ${oldest}`);
    this.name = 'RevisionCompacted';
    this.oldest = oldest;
  }
}

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

/** SQLite's primary result code, when the error is SQLite's. */
function sqliteCode(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof code === 'number' ? code & 0xff : undefined;
}

export function openError(path: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  switch (sqliteCode(error)) {
    case SQLITE_BUSY:
      return new StoreLockedError(path, { cause: error });
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new StoreCorruptError(path, detail, { cause: error });
    case SQLITE_FULL:
      return new StoreFullError(path, 'it cannot be opened, but nothing in it is lost', { cause: error });
    default:
      return new StoreUnavailableError(path, detail, { cause: error });
  }
}

export function writeError(path: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  switch (sqliteCode(error)) {
    case SQLITE_FULL:
      return new StoreFullError(path, 'the change was not stored', { cause: error });
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new StoreCorruptError(path, detail, { cause: error });
    default:
      return new StoreWriteError(path, detail, { cause: error });
  }
}
