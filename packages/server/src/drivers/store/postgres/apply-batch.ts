import type pg from "pg";
import { assert } from "../../../kernel/assert.ts";
import type { BoundStatement } from "../bind-statement.ts";
import type { Applied, Rows, StatementResult } from "../driver.ts";
import { eachRow } from "../row-buffer.ts";
import type { SqlValue } from "../sql-value.ts";
import type { Connections } from "./connections.ts";
import { type PostgresFailure, postgresFailure } from "./postgres-failure.ts";

type Batch = readonly BoundStatement[];

/** A deadlock takes PostgreSQL a second to find; who loses as often as this meets more than bad luck. */
const repeatsMax = 4;

/** All statements of the batch or none, with a connection of its own. Repeats what lost against another transaction. */
export async function applyBatch(connections: Connections, batch: Batch): Promise<Applied> {
  const attempt = () => attemptBatch(connections, batch);
  let outcome = await attempt();
  for (let repeat = 1; isConflict(outcome) && repeat <= repeatsMax; repeat++)
    outcome = await connections.repeats.run(attempt);
  if (outcome.kind === "failed") throw outcome.failure.error;
  return outcome;
}

function isConflict(outcome: Outcome): boolean {
  return outcome.kind === "failed" && outcome.failure.kind === "conflict";
}

export type Outcome = Applied | { readonly kind: "failed"; readonly failure: PostgresFailure };

/** One attempt; what went wrong is a value. */
export async function attemptBatch(connections: Connections, batch: Batch): Promise<Outcome> {
  try {
    return await connections.write((client) =>
      batch.every(({ expect }) => expect === "any") ? writeAtOnce(client, batch) : writeAndCheck(client, batch),
    );
  } catch (error) {
    return { kind: "failed", failure: postgresFailure(error) };
  }
}

/** Nothing to check before the commit, so everything is sent in one go. A single statement commits by itself. */
async function writeAtOnce(client: pg.PoolClient, batch: Batch): Promise<Outcome> {
  if (batch.length === 1) return judge(batch, await sendAll(client, batch.map(toQuery)));
  const answers = await sendAll(client, [{ text: "begin" }, ...batch.map(toQuery), { text: "commit" }]);
  const outcome = judge(batch, answers.slice(1, -1));
  if (outcome.kind === "applied") assertCommitted(answers.at(-1));
  return outcome;
}

/** The expectations are checked between the statements and the commit: two ways to the server and back. */
async function writeAndCheck(client: pg.PoolClient, batch: Batch): Promise<Outcome> {
  const answers = await sendAll(client, [{ text: "begin" }, ...batch.map(toQuery)]);
  const outcome = judge(batch, answers.slice(1));
  const [end] = await sendAll(client, [{ text: outcome.kind === "applied" ? "commit" : "rollback" }]);
  if (outcome.kind === "applied") assertCommitted(end);
  return outcome;
}

type Answer = PromiseSettledResult<pg.QueryResult<Record<string, unknown>>>;

/** The pool's connections are in pipeline mode: everything is on its way before the first answer is read. */
function sendAll(client: pg.PoolClient, queries: readonly pg.QueryConfig[]): Promise<readonly Answer[]> {
  return Promise.allSettled(queries.map((query) => client.query<Record<string, unknown>>(query)));
}

/** The first statement that failed or missed its expectation decides; what follows a failure fails because of it. */
function judge(batch: Batch, answers: readonly Answer[]): Outcome {
  const results: StatementResult[] = [];
  for (const [index, { expect }] of batch.entries()) {
    const answer = answers[index];
    assert(answer !== undefined, "every statement is answered");
    if (answer.status === "rejected") {
      const failure = postgresFailure(answer.reason);
      return failure.kind === "unique" ? { kind: "refused", index, reason: "unique" } : { kind: "failed", failure };
    }
    const result = readResult(answer.value);
    if (!meets(expect, result.affected)) return { kind: "refused", index, reason: "rows" };
    results.push(result);
  }
  return { kind: "applied", results };
}

export function readResult({ rowCount, rows }: pg.QueryResult<Record<string, unknown>>): StatementResult {
  return { affected: rowCount ?? rows.length, rows };
}

/** The commit of a transaction that failed succeeds too, and answers ROLLBACK. */
function assertCommitted(answer: Answer | undefined): void {
  if (answer?.status === "rejected") throw answer.reason;
  assert(answer?.value.command === "COMMIT", "a transaction without failures commits");
}

function toQuery({ sql, parameters, rows }: BoundStatement): pg.QueryConfig {
  return { text: sql, values: rows === undefined ? [...parameters] : lists(rows) };
}

/** A list for each column. */
function lists(rows: Rows): SqlValue[][] {
  const columns = rows.columns.map((): SqlValue[] => []);
  eachRow(rows, (values) => {
    for (const [index, value] of values.entries()) columns[index]?.push(value);
  });
  return columns;
}

function meets(expect: BoundStatement["expect"], affected: number): boolean {
  if (expect === "any") return true;
  return expect === "some" ? affected > 0 : affected === expect;
}
