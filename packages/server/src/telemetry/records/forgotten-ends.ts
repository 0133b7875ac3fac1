import type { CallView } from "@chaya/contract/chaya";
import { type Kysely, sql } from "kysely";
import type { Statement, Store } from "../../drivers/store/driver.ts";
import type { TelemetryTables } from "../../drivers/store/tables.ts";
import type { CallProblem } from "../../seams.ts";
import { storableText } from "./storable-text.ts";

/** How a call ended whose record does not say so. */
export interface ForgottenEnd {
  readonly id: string;
  readonly status: CallView["status"];
  readonly finishedAtMs: number;
  readonly problem: CallProblem | undefined;
}

/** Ids of calls that run later and have no recorded end, in order, after `afterId`; accepted before `beforeMs`. */
export async function callsWithoutEnd(
  db: Kysely<TelemetryTables>,
  page: { readonly afterId: string; readonly beforeMs: number; readonly countMax: number },
): Promise<readonly string[]> {
  const rows = await db
    .selectFrom("calls")
    .select("id")
    .where("status", "in", ["queued", "running"])
    // The words of the index.
    .where("status", "<>", sql.lit("succeeded"))
    .where("source", "not in", ["direct", "http", "gateway"])
    .where("accepted_at_ms", "<", page.beforeMs)
    .where("id", ">", page.afterId)
    .orderBy("id")
    .limit(page.countMax)
    .execute();
  return rows.map(({ id }) => id);
}

/** Records an end, unless one has been recorded meanwhile. */
export function recordEnd(store: Store<TelemetryTables>, end: ForgottenEnd): Statement {
  const { problem } = end;
  return {
    query: store.db
      .updateTable("calls")
      .set({
        status: end.status,
        finished_at_ms: end.finishedAtMs,
        problem_code: problem?.code ?? null,
        problem_sentence: storableText(problem?.sentence),
        problem_hint: storableText(problem?.hint),
      })
      .where("id", "=", end.id)
      .where("finished_at_ms", "is", null),
  };
}
