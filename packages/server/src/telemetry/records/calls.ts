import { type CallView, callSources, callStatuses } from "@chaya/contract/chaya";
import { type Kysely, type SelectQueryBuilder, sql } from "kysely";
import type { Statement, Store } from "../../drivers/store/driver.ts";
import type { CallsTable, TelemetryTables } from "../../drivers/store/tables.ts";
import { idPrefixAt } from "../../kernel/ids.ts";
import type { ObservedCall } from "../../seams.ts";
import { RowInserter } from "./insert-rows.ts";
import { memberOf } from "./member-of.ts";
import { storableText } from "./storable-text.ts";

/** Statements that record calls, each call at most once. Of what is known of a call the newest stays. */
export type RecordCalls = (calls: readonly ObservedCall[]) => readonly Statement[];

export function callsRecorder(store: Store<TelemetryTables>): RecordCalls {
  const inserter = new RowInserter<CallsTable>((rows) =>
    store.db
      .insertInto("calls")
      .values([...rows])
      .onConflict((conflict) =>
        conflict
          .column("id")
          .doUpdateSet((eb) => Object.fromEntries(changing.map((column) => [column, eb.ref(`excluded.${column}`)])))
          .where(
            sql<boolean>`excluded.attempt > calls.attempt or (excluded.attempt = calls.attempt and
              (excluded.finished_at_ms is not null or calls.finished_at_ms is null))`,
          ),
      ),
  );
  return (calls) => inserter.statements(calls.map(toRow));
}

/** What another attempt, or the end of one, says anew. */
const changing = [
  "image",
  "status",
  "attempt",
  "http_status",
  "started_at_ms",
  "finished_at_ms",
  "wait_us",
  "run_us",
  "is_cold_start",
  "request_bytes",
  "response_bytes",
  "memory_mib",
  "problem_code",
  "problem_sentence",
  "problem_hint",
] as const;

export interface CallFilter {
  readonly applicationId: string | undefined;
  readonly functionId: string | undefined;
  readonly status: CallView["status"] | undefined;
  readonly source: CallView["source"] | undefined;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
}

export interface CallPage {
  readonly calls: readonly CallView[];
  /** The id of the call that was shown, or looked at, last; absent when there is nothing older. */
  readonly next: string | undefined;
}

/** Rows one query looks at, and queries one page makes: whatever the filter, a page costs little and may be short. */
const rowsPerStep = 2_000;
const stepsMax = 50;
/** A call's id is made when it is accepted, by a clock that never goes back: further apart the two times are not. */
const acceptedApartMsMax = 3_600_000;

/**
 * Calls newest first, in the order of their ids. Filters that an index serves choose the rows; the others sift them,
 * step by step. A page may be shorter than asked for although there is more: `next` tells.
 */
export async function listCalls(
  db: Kysely<TelemetryTables>,
  filter: CallFilter,
  page: { readonly afterId: string | undefined; readonly countMax: number },
): Promise<CallPage> {
  const found: CallsTable[] = [];
  let after = page.afterId;
  for (let step = 0; step < stepsMax; step++) {
    const rows = indexed(db, filter, after).limit(rowsPerStep);
    const wanted = page.countMax - found.length + 1;
    found.push(...(await sifted(db, rows.as("step"), filter).limit(wanted).execute()));
    if (found.length > page.countMax) return toPage(found.slice(0, page.countMax));
    after = await lastOf(indexed(db, filter, after));
    if (after === undefined) return { calls: found.map(toView), next: undefined };
  }
  return { calls: found.map(toView), next: after };
}

export async function findCall(db: Kysely<TelemetryTables>, id: string): Promise<CallView | undefined> {
  const row = await db.selectFrom("calls").selectAll().where("id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : toView(row);
}

/**
 * The id of the newest call beyond the newest `countMax`; undefined when there are not so many. Counts in steps, so that
 * it never holds up other readers.
 */
export async function firstCallBeyond(db: Kysely<TelemetryTables>, countMax: number): Promise<string | undefined> {
  let beforeId: string | undefined;
  for (let counted = 0; counted < countMax; ) {
    const step = Math.min(rowsPerStep, countMax - counted);
    let query = db
      .selectFrom("calls")
      .select("id")
      .orderBy("id", "desc")
      .limit(1)
      .offset(step - 1);
    if (beforeId !== undefined) query = query.where("id", "<", beforeId);
    beforeId = (await query.executeTakeFirst())?.id;
    if (beforeId === undefined) return undefined;
    counted += step;
  }
  let oldest = db.selectFrom("calls").select("id").orderBy("id", "desc").limit(1);
  if (beforeId !== undefined) oldest = oldest.where("id", "<", beforeId);
  return (await oldest.executeTakeFirst())?.id;
}

type Calls = SelectQueryBuilder<TelemetryTables, "calls", CallsTable>;

function indexed(db: Kysely<TelemetryTables>, filter: CallFilter, afterId: string | undefined): Calls {
  const { status, sinceMs, untilMs } = filter;
  let query: Calls = db.selectFrom("calls").selectAll().orderBy("id", "desc");
  if (filter.functionId !== undefined) query = query.where("function_id", "=", filter.functionId);
  else if (filter.applicationId !== undefined) query = query.where("application_id", "=", filter.applicationId);
  // The words of the index: it leaves out what most calls are.
  else if (status !== undefined && status !== "succeeded")
    query = query.where("status", "=", status).where("status", "<>", sql.lit("succeeded"));
  // The bounds on the id keep an index from being read from its newest end or to its oldest.
  if (sinceMs !== undefined)
    query = query.where("accepted_at_ms", ">=", sinceMs).where("id", ">=", idBound(sinceMs - acceptedApartMsMax));
  if (untilMs !== undefined)
    query = query.where("accepted_at_ms", "<", untilMs).where("id", "<", idBound(untilMs + acceptedApartMsMax));
  return afterId === undefined ? query : query.where("id", "<", afterId);
}

/** Whatever date was asked for, an id has 48 bits of time. */
function idBound(ms: number): string {
  return idPrefixAt(Math.min(Math.max(0, ms), 2 ** 48 - 1));
}

function sifted(db: Kysely<TelemetryTables>, step: ReturnType<Calls["as"]>, filter: CallFilter) {
  let query = db.selectFrom(step).selectAll().orderBy("id", "desc");
  if (filter.status !== undefined) query = query.where("status", "=", filter.status);
  if (filter.source !== undefined) query = query.where("source", "=", filter.source);
  return query;
}

/** The last row of a whole step; undefined when the step was not whole: nothing follows. */
async function lastOf(rows: Calls): Promise<string | undefined> {
  const step = rows
    .clearSelect()
    .select("id")
    .limit(1)
    .offset(rowsPerStep - 1);
  const last = await step.executeTakeFirst();
  return last?.id;
}

function toPage(rows: readonly CallsTable[]): CallPage {
  return { calls: rows.map(toView), next: rows.at(-1)?.id };
}

function toRow(call: ObservedCall): CallsTable {
  return {
    id: call.id,
    application_id: call.applicationId,
    application_name: call.applicationName,
    function_id: call.functionId,
    function_name: call.functionName,
    image: storableText(call.image),
    source: call.source,
    status: call.status,
    attempt: call.attempt,
    http_status: call.httpStatus ?? null,
    accepted_at_ms: call.acceptedAtMs,
    started_at_ms: call.startedAtMs ?? null,
    finished_at_ms: call.finishedAtMs ?? null,
    wait_us: Math.round(call.waitUs),
    run_us: Math.round(call.runUs),
    is_cold_start: call.isColdStart ? 1 : 0,
    request_bytes: call.requestBytes,
    response_bytes: call.responseBytes,
    memory_mib: call.memoryMiB,
    problem_code: call.problem?.code ?? null,
    problem_sentence: storableText(call.problem?.sentence),
    problem_hint: storableText(call.problem?.hint),
    cause_id: storableText(call.causeId),
    trace_id: storableText(call.traceId),
  };
}

function toView(row: CallsTable): CallView {
  return {
    id: row.id,
    applicationId: row.application_id,
    application: row.application_name,
    functionId: row.function_id,
    function: row.function_name,
    image: row.image,
    source: memberOf(callSources, row.source),
    status: memberOf(callStatuses, row.status),
    attempt: row.attempt,
    httpStatus: row.http_status ?? undefined,
    acceptedAt: new Date(row.accepted_at_ms).toISOString(),
    startedAt: toTime(row.started_at_ms),
    finishedAt: toTime(row.finished_at_ms),
    waitMs: row.wait_us / 1000,
    runMs: row.run_us / 1000,
    isColdStart: row.is_cold_start === 1,
    requestBytes: row.request_bytes,
    responseBytes: row.response_bytes,
    memoryMiB: row.memory_mib,
    problem:
      row.problem_code === null
        ? undefined
        : { code: row.problem_code, sentence: row.problem_sentence ?? "", hint: row.problem_hint ?? "" },
    causeId: row.cause_id ?? undefined,
    traceId: row.trace_id ?? undefined,
  };
}

function toTime(ms: number | null): string | undefined {
  return ms === null ? undefined : new Date(ms).toISOString();
}
