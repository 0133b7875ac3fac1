import type { CallView } from "@chaya/contract/chaya";
import { type Kysely, sql } from "kysely";
import type { Statement, Store } from "../../drivers/store/driver.ts";
import type { TelemetryTables } from "../../drivers/store/tables.ts";
import type { CallProblem } from "../../seams.ts";
import { problemText } from "./call-rows.ts";

/** How a call ended whose record does not say so. */
export interface ForgottenEnd {
  readonly id: string;
  readonly status: CallView["status"];
  readonly finishedAtMs: number;
  readonly problem: CallProblem | undefined;
}

/** What starts calls whose caller waits for the answer: work does not know of them. */
const sourcesOfWaitingCallers = ["direct", "http", "gateway"] as const satisfies readonly CallView["source"][];

/** A call whose caller waited for it, and the node that ran it. */
export interface UnfinishedCall {
  readonly id: string;
  readonly nodeId: string;
}

/** Calls that other nodes run, or ran when they ended, in order, after `afterId`; none that runs later. */
export async function callsOfOtherNodes(
  db: Kysely<TelemetryTables>,
  page: { readonly afterId: string; readonly nodeId: string; readonly countMax: number },
): Promise<readonly UnfinishedCall[]> {
  const rows = await db
    .selectFrom("calls")
    .select(["id", "node_id as nodeId"])
    .where("status", "=", "running")
    // The words of the index.
    .where("status", "<>", sql.lit("succeeded"))
    .where("source", "in", sourcesOfWaitingCallers)
    .where("node_id", "<>", page.nodeId)
    .where("id", ">", page.afterId)
    .orderBy("id")
    .limit(page.countMax)
    .$narrowType<{ nodeId: string }>()
    .execute();
  return rows;
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
    .where("source", "not in", sourcesOfWaitingCallers)
    .where("accepted_at_ms", "<", page.beforeMs)
    .where("id", ">", page.afterId)
    .orderBy("id")
    .limit(page.countMax)
    .execute();
  return rows.map(({ id }) => id);
}

/** Records an end, unless one has been recorded meanwhile. */
export function recordEnd(store: Store<TelemetryTables>, end: ForgottenEnd): Statement {
  return {
    query: store.db
      .updateTable("calls")
      .set({
        status: end.status,
        finished_at_ms: end.finishedAtMs,
        node_id: null,
        problem: problemText(end.problem),
      })
      .where("id", "=", end.id)
      .where("finished_at_ms", "is", null),
  };
}
