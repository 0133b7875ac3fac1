import type { Kysely } from "kysely";
import type { MainTables } from "../drivers/store/tables.ts";

/** A control transaction appends what it changed; every node tails the feed and follows in memory. */
export interface ChangesFeed extends AsyncDisposable {
  /** Appends inside the caller's transaction; returns its `seq`. Sequence numbers become visible in order. */
  append(tx: Kysely<MainTables>, kind: string, id: string): Promise<number>;
  /** Call after the commit: this node applies the change before `append`'s caller answers, others get a hint. */
  published(seq: number): Promise<void>;
  /** Called for each change in order, this node's own included, once. A rejecting listener is called again later. */
  onChange(listener: (change: Change) => Promise<void>): Disposable;
  /** Resolves when everything up to `seq` has been applied here; rejects with the signal's reason. */
  reached(seq: number, signal: AbortSignal): Promise<void>;
  /** Begins at the newest change there is now. */
  start(): Promise<void>;
}

export interface Change {
  readonly seq: number;
  readonly kind: string;
  readonly id: string;
}
