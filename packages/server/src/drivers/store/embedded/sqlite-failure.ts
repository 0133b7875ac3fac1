/** What went wrong in SQLite, in a form that can be sent between threads. */
export interface SqliteFailure {
  /** `unique`, `forbidden`, `readonly` and `bug` concern one statement; after the others nothing can be written. */
  readonly kind: "unique" | "full" | "unavailable" | "damaged" | "forbidden" | "readonly" | "bug";
  readonly reason: string;
  /** What is damaged, when it is another file than the database. */
  readonly file?: string;
}

/** A file was found damaged before SQLite met the damage. */
export class DamagedError extends Error {
  override readonly name = "DamagedError";
  readonly file: string;

  constructor(file: string, finding: string) {
    super(finding);
    this.file = file;
  }
}

// Result codes of SQLite (sqlite.org/rescode.html). The low 8 bits of an extended code are the primary one.
const constraintUnique = 2067;
const constraintPrimaryKey = 1555;
const full = 13;
const readonly = 8;
const corrupt = 11;
const notADatabase = 26;
const unavailable: Readonly<Record<number, string>> = {
  3: "access to the file is denied",
  5: "another program holds the database file",
  6: "another program holds the database file",
  7: "there is no memory left",
  10: "the disk reports an error",
  14: "the database file cannot be opened",
  15: "another program holds the database file",
};

export function sqliteFailure(error: unknown): SqliteFailure {
  // A finding of `quick_check` has several lines; a reason is one.
  const message = (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, " ");
  if (error instanceof DamagedError) return { kind: "damaged", reason: message, file: error.file };
  const code = error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode : 0;
  if (code === constraintUnique || code === constraintPrimaryKey) return { kind: "unique", reason: message };
  const primary = code & 0xff;
  if (primary === full) return { kind: "full", reason: message };
  if (primary === corrupt || primary === notADatabase) return { kind: "damaged", reason: `SQLite says '${message}'` };
  if (primary === readonly) return { kind: "readonly", reason: message };
  const known = unavailable[primary];
  return known === undefined
    ? { kind: "bug", reason: message }
    : { kind: "unavailable", reason: `${known} (SQLite: ${message})` };
}
