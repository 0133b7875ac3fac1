import type { Kysely } from "kysely";
import type { MainTables } from "../drivers/store/tables.ts";

/** A control transaction appends what it changed; every node tails the feed and follows in memory. */
export interface ChangesFeed extends AsyncDisposable {
  /**
   * Appends inside the caller's transaction; returns its `seq`. Numbers become visible in order and without gaps, since
   * whoever appends next waits for this transaction to end: append last. Takes two statements.
   */
  append(tx: Kysely<MainTables>, kind: string, id: string): Promise<number>;
  /** Call after the commit: this node applies the change before `append`'s caller answers, others get a hint. */
  published(seq: number): Promise<void>;
  /**
   * Called for each change in order, this node's own included, once. A rejecting listener is called again later. A node
   * that fell so far behind that changes it missed are gone gets one of `resetKind` instead: load all records again.
   */
  onChange(listener: (change: Change) => Promise<void>): Disposable;
  /** Resolves when everything up to `seq` has been applied here; rejects with the signal's reason. */
  reached(seq: number, signal: AbortSignal): Promise<void>;
  /** Begins at the newest change there is now: start, then load the records. */
  start(): Promise<void>;
}

export interface Change {
  readonly seq: number;
  readonly kind: string;
  readonly id: string;
}

/** The kind of the change that says: anything may have changed. Its id is empty. */
export const resetKind = "reset";
