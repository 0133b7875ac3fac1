import type { BoundStatement } from "../bind-statement.ts";
import type { Applied, StatementResult } from "../driver.ts";
import type { CompiledMigration } from "../migrations/compile-migrations.ts";
import type { SqliteFailure } from "./sqlite-failure.ts";

/** What the threads of the embedded store are started with. */
export interface ThreadData {
  readonly role: "writer" | "reader";
  readonly file: string;
  readonly migrations: readonly CompiledMigration[];
  /** The wall clock, for the table `migrations`. */
  readonly nowMs: number;
  /** Gives way to whoever wants the processor. */
  readonly isBackground: boolean;
  /** The file may not grow beyond; undefined: as far as the disk goes. */
  readonly bytesMax: number | undefined;
}

/** Each request is answered once, in order. */
export type ThreadRequest =
  /** Opens the database; the writer also migrates it. */
  | { readonly kind: "open" }
  | { readonly kind: "group"; readonly batches: readonly (readonly BoundStatement[])[] }
  | { readonly kind: "begin" | "commit" | "rollback" }
  | { readonly kind: "run"; readonly statement: BoundStatement }
  /** As `run`, but a statement that would write is `forbidden`. */
  | { readonly kind: "read"; readonly statement: BoundStatement }
  /** Gives free pages back to the file system. */
  | { readonly kind: "shrink"; readonly pagesMax: number }
  | { readonly kind: "close" };

export type BatchOutcome = Applied | { readonly kind: "failed"; readonly failure: SqliteFailure };

export type ThreadReply =
  | { readonly kind: "done" }
  | { readonly kind: "group"; readonly outcomes: readonly BatchOutcome[] }
  | { readonly kind: "result"; readonly result: StatementResult }
  | { readonly kind: "failed"; readonly failure: SqliteFailure }
  | { readonly kind: "unfit"; readonly reason: string };
