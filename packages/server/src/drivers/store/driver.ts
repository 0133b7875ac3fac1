import type { Compilable, CompiledQuery, Kysely, RawBuilder } from "kysely";
import type { ColumnType, Rows } from "./row-buffer.ts";

export { type ColumnType, RowBuffer, type Rows } from "./row-buffer.ts";

/**
 * The store keeps records and changes them in transactions. Two implementations answer the same queries:
 * `embedded` (node:sqlite, group commit) and `postgres`. What SQL is portable is decided by `conformance.ts`.
 *
 * Who is to blame: nothing a caller sends may make the store fail, so every failure here is the platform's:
 * `store-unavailable`, `store-damaged`, or `storage-full` when the disk has no room. A refused expectation is a value,
 * not a failure.
 */
export interface Store<Tables> extends AsyncDisposable {
  readonly kind: "embedded" | "postgres";
  /** Reads only, never inside `transaction`; a write through it throws. Sees everything acknowledged before. */
  readonly db: Kysely<Tables>;
  /**
   * All statements or none, in order; acknowledged means on disk. The way to write on or near a hot path:
   * calls made at the same time share a commit. A statement whose expectation fails refuses the whole batch.
   */
  apply(statements: readonly Statement[]): Promise<Applied>;
  /**
   * Interactive and exclusive: at most 16 statements, no I/O inside, rolled back when it throws or when it spent more
   * than `transactionMsMax` on something else than its statements. Control plane only. Correct under READ COMMITTED:
   * guard every write that follows a read. When a statement failed, nothing is kept, even if `work` caught the error.
   * Calling `apply`, `db` or `transaction` inside is a bug and throws at once (it would wait for itself).
   * `work` may be run again after a serialization failure, so it has no effects outside of `tx`.
   */
  transaction<T>(work: (tx: Kysely<Tables>) => Promise<T>): Promise<T>;
  /** Where an insert takes the rows from that travel beside it: `insertInto(…).columns(…).expression(store.rowsOf(types))`. */
  rowsOf(columns: readonly ColumnType[]): RawBuilder<unknown>;
  /** The time in ms that leases and due times are judged by, as an expression to put into a query. */
  now(): RawBuilder<number>;
  /** The same time, read now. */
  nowMs(): Promise<number>;
  /** Rows locked by somebody else are skipped by a claim: `for update skip locked` where the store has it. */
  readonly claimsSkipLocked: boolean;
  /** Tells every node, this one included, that something on `channel` changed, after the commit that is under way in
   *  order. A hint only: it may be lost, so listeners also look by themselves now and then. */
  hint(channel: string): void;
  onHint(channel: string, listener: () => void): Disposable;
  /**
   * Removes rows of an append-only table that were made before `beforeMs`; its `id` begins with that time (kernel/ids).
   * Where the table is partitioned, whole days go and the days to come are prepared, so a day more may stay; call it at
   * least daily. Works while the disk is full: it makes room.
   */
  trim(table: keyof Tables & string, beforeMs: number): Promise<void>;
  /** Bytes that the rows take on disk, and whether writes are refused because the disk is full. */
  health(): Promise<{ readonly bytes: number; readonly isWritable: boolean }>;
}

export interface Statement {
  readonly query: Compilable | CompiledQuery;
  /** The query is an insert from `rowsOf(rows.columns)` without parameters of its own and without RETURNING. No two of
   *  the rows may be in conflict with each other. */
  readonly rows?: Rows;
  /** Affected (or returned) rows; `any` when absent. */
  readonly expect?: number | "any" | "some";
}

export type Applied =
  | { readonly kind: "applied"; readonly results: readonly StatementResult[] }
  /** Nothing was written. `index` is the statement that refused. */
  | { readonly kind: "refused"; readonly index: number; readonly reason: "rows" | "unique" };

export interface StatementResult {
  readonly affected: number;
  /** Rows of a RETURNING clause. */
  readonly rows: readonly Record<string, unknown>[];
}

/** Thrown inside `transaction` by a write that hits a unique constraint; recognised with `isUniqueViolation`. */
export class UniqueViolation extends Error {
  override readonly name = "UniqueViolation";
}

export function isUniqueViolation(error: unknown): error is UniqueViolation {
  return error instanceof UniqueViolation;
}

export const transactionMsMax = 50;
export const transactionStatementsMax = 16;

/** A numbered step of a schema; forward only, never edited after a release. */
export interface Migration {
  /** `0001-foundation` */
  readonly name: string;
  /** Statements for both stores; `dialect` exists for column types (`blob`/`bytea`) and partitions only. */
  readonly statements: (dialect: Store<unknown>["kind"]) => readonly string[];
}
