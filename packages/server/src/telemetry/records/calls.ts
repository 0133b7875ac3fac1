import { type CallView, callSources, callStatuses } from "@chaya/contract/chaya";
import { type Kysely, sql } from "kysely";
import type { CalledFunctionsTable, CallsTable, TelemetryTables } from "../../drivers/store/tables.ts";
import { idPrefixAt } from "../../kernel/ids.ts";
import type { CallProblem } from "../../seams.ts";
import { type IdRange, type Places, secondsOf } from "./call-seconds.ts";
import { memberOf } from "./member-of.ts";

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

/** Rows one step looks at, and steps one page makes: whatever the filter, a page costs little and may be short. */
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
  const found: CallRow[] = [];
  let after = page.afterId;
  for (let step = 0; step < stepsMax; step++) {
    const { ranges, rest } = await placesOf(db, filter, after);
    const rows = newestIn(db, filter, ranges);
    if (rows !== undefined) {
      const wanted = page.countMax - found.length + 1;
      found.push(...(await sifted(db, rows, filter).limit(wanted).execute()));
      if (found.length > page.countMax) return toPage(found.slice(0, page.countMax));
    }
    after = (rows && (await lastOf(db, rows))) ?? rest;
    if (after === undefined) return { calls: found.map(toView), next: undefined };
  }
  return { calls: found.map(toView), next: after };
}

export async function findCall(db: Kysely<TelemetryTables>, id: string): Promise<CallView | undefined> {
  const row = await db
    .selectFrom("calls")
    .innerJoin("called_functions as called", "called.id", "calls.called_id")
    .selectAll("calls")
    .select(calledColumns)
    .where("calls.id", "=", id)
    .executeTakeFirst();
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

type CallRow = CallsTable & Omit<CalledFunctionsTable, "id">;

const calledColumns = [
  "called.application_id",
  "called.application_name",
  "called.function_id",
  "called.function_name",
  "called.image",
  "called.memory_mib",
] as const;

/** The application or function whose calls are wanted. No index finds those, but it is known when there were any. */
function ownerOf({ applicationId, functionId }: CallFilter): string | undefined {
  return functionId ?? applicationId;
}

/** Where the next step looks. */
async function placesOf(db: Kysely<TelemetryTables>, filter: CallFilter, afterId: string | undefined): Promise<Places> {
  const owner = ownerOf(filter);
  const range = idRange(filter, afterId);
  if (owner === undefined) return { ranges: [range], rest: undefined };
  return secondsOf(db, owner, range);
}

/** The newest rows in all the ranges; undefined when there are none to look into. */
function newestIn(db: Kysely<TelemetryTables>, filter: CallFilter, ranges: readonly IdRange[]) {
  // Each is read by itself, newest first, and no further than is needed: a condition for all would be sorted.
  const [first, ...others] = ranges.map((range) => db.selectFrom(rowsIn(db, filter, range).as("part")).selectAll());
  if (first === undefined) return undefined;
  const all = others.reduce((union, part) => union.unionAll(part), first);
  return db.selectFrom(all.as("all")).selectAll().orderBy("id", "desc").limit(rowsPerStep).as("step");
}

/** By the filters that say where to look. */
function rowsIn(db: Kysely<TelemetryTables>, filter: CallFilter, { from, before }: IdRange) {
  const { status, sinceMs, untilMs } = filter;
  let query = db.selectFrom("calls").selectAll().orderBy("id", "desc").limit(rowsPerStep);
  // The words of the index: it leaves out what most calls are.
  if (ownerOf(filter) === undefined && status !== undefined && status !== "succeeded")
    query = query.where("status", "=", status).where("status", "<>", sql.lit("succeeded"));
  if (sinceMs !== undefined) query = query.where("accepted_at_ms", ">=", sinceMs);
  if (untilMs !== undefined) query = query.where("accepted_at_ms", "<", untilMs);
  if (from !== undefined) query = query.where("id", ">=", from);
  if (before !== undefined) query = query.where("id", "<", before);
  return query;
}

/** The bounds of time, as bounds on the id: they keep an index from being read from its newest end or to its oldest. */
function idRange({ sinceMs, untilMs }: CallFilter, afterId: string | undefined): IdRange {
  const from = sinceMs === undefined ? undefined : idBound(sinceMs - acceptedApartMsMax);
  const until = untilMs === undefined ? undefined : idBound(untilMs + acceptedApartMsMax);
  const before = until === undefined || (afterId !== undefined && afterId < until) ? afterId : until;
  return { from, before };
}

/** Whatever date was asked for, an id has 48 bits of time. */
function idBound(ms: number): string {
  return idPrefixAt(Math.min(Math.max(0, ms), 2 ** 48 - 1));
}

type Step = NonNullable<ReturnType<typeof newestIn>>;

function sifted(db: Kysely<TelemetryTables>, step: Step, filter: CallFilter) {
  let query = db
    .selectFrom(step)
    .innerJoin("called_functions as called", "called.id", "step.called_id")
    .selectAll("step")
    .select(calledColumns)
    .orderBy("step.id", "desc");
  if (filter.applicationId !== undefined) query = query.where("called.application_id", "=", filter.applicationId);
  if (filter.functionId !== undefined) query = query.where("called.function_id", "=", filter.functionId);
  if (filter.status !== undefined) query = query.where("step.status", "=", filter.status);
  if (filter.source !== undefined) query = query.where("step.source", "=", filter.source);
  return query;
}

/** The last row of a whole step; undefined when the step was not whole. */
async function lastOf(db: Kysely<TelemetryTables>, step: Step): Promise<string | undefined> {
  const last = await db
    .selectFrom(step)
    .select("step.id")
    .orderBy("step.id", "desc")
    .limit(1)
    .offset(rowsPerStep - 1)
    .executeTakeFirst();
  return last?.id;
}

function toPage(rows: readonly CallRow[]): CallPage {
  return { calls: rows.map(toView), next: rows.at(-1)?.id };
}

function toView(row: CallRow): CallView {
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
    // Written by this program, as a problem.
    problem: row.problem === null ? undefined : (JSON.parse(row.problem) as CallProblem),
    causeId: row.cause_id ?? undefined,
    traceId: row.trace_id ?? undefined,
  };
}

function toTime(ms: number | null): string | undefined {
  return ms === null ? undefined : new Date(ms).toISOString();
}
