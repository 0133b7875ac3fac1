import type { DatabaseSync } from "node:sqlite";
import type { BoundStatement } from "../bind-statement.ts";
import type { StatementResult } from "../driver.ts";
import { type SqliteFailure, sqliteFailure } from "./sqlite-failure.ts";
import type { StatementCache } from "./statement-cache.ts";
import type { BatchOutcome } from "./thread-messages.ts";

type Batch = readonly BoundStatement[];

/**
 * Group commit: one transaction, a savepoint for each batch, one commit, and only then the outcomes. A batch that is
 * refused or wrong is undone alone; when the disk fails, nothing of the group is kept and every batch hears of it.
 */
export function writeGroup(database: DatabaseSync, cache: StatementCache, batches: readonly Batch[]): BatchOutcome[] {
  try {
    rollback(database);
    database.exec("begin immediate");
    const outcomes = batches.map((batch) => writeBatch(database, cache, batch));
    database.exec("commit");
    return outcomes;
  } catch (error) {
    rollback(database);
    const failure = sqliteFailure(error);
    return batches.map(() => ({ kind: "failed", failure }));
  }
}

/** SQLite ends the transaction by itself after some failures. */
export function rollback(database: DatabaseSync): void {
  if (database.isTransaction) database.exec("rollback");
}

/** Throws what concerns the whole group. */
function writeBatch(database: DatabaseSync, cache: StatementCache, batch: Batch): BatchOutcome {
  database.exec("savepoint batch");
  const outcome = runBatch(cache, batch);
  if (outcome.kind !== "applied") database.exec("rollback to batch");
  database.exec("release batch");
  return outcome;
}

function runBatch(cache: StatementCache, batch: Batch): BatchOutcome {
  const results: StatementResult[] = [];
  for (const [index, statement] of batch.entries()) {
    try {
      const result = cache.run(statement);
      if (!meets(statement, result)) return { kind: "refused", index, reason: "rows" };
      results.push(result);
    } catch (error) {
      const failure = sqliteFailure(error);
      if (failure.kind === "unique") return { kind: "refused", index, reason: "unique" };
      if (isFatal(failure)) throw error;
      return { kind: "failed", failure };
    }
  }
  return { kind: "applied", results };
}

function isFatal(failure: SqliteFailure): boolean {
  return failure.kind !== "bug";
}

function meets({ expect }: BoundStatement, { affected }: StatementResult): boolean {
  if (expect === "any") return true;
  return expect === "some" ? affected > 0 : affected === expect;
}
