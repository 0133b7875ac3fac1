import { type Kysely, type SelectQueryBuilder, sql } from "kysely";
import { type ColumnType, RowBuffer, type Statement, type Store } from "../../drivers/store/driver.ts";
import type { LogLinesTable, TelemetryTables } from "../../drivers/store/tables.ts";
import { idPrefixAt, idTimeMs } from "../../kernel/ids.ts";
import type { LogFilter, LogLine, StoredLine } from "../log-line.ts";
import { insertFromRows } from "./insert-from-rows.ts";
import { memberOf } from "./member-of.ts";

export type RecordLines = (lines: readonly LogLine[]) => Statement;

const columns = {
  id: "text",
  at_ms: "integer",
  application_id: "text",
  function_id: "text",
  call_id: "text",
  stream: "text",
  text: "blob",
} as const satisfies Partial<Record<keyof LogLinesTable, ColumnType>>;

export function linesRecorder(store: Store<TelemetryTables>): RecordLines {
  const query = insertFromRows(store, "log_lines", columns).compile();
  return (lines) => {
    const rows = new RowBuffer(Object.values(columns));
    for (const { id, atMs, applicationId, functionId, callId = null, stream, text } of lines)
      rows.add([id, atMs, applicationId, functionId, callId, stream, text]);
    return { query, rows: rows.rows() };
  };
}

/** A line is stored soon after it was printed: by its id it is at most so much younger than by its time. */
const storedAfterMsMax = 3_600_000;

/** The newest `countMax` lines that a filter lets through, oldest first. */
export async function newestLines(
  db: Kysely<TelemetryTables>,
  filter: LogFilter,
  range: { readonly sinceMs: number | undefined; readonly afterId: string | undefined; readonly countMax: number },
): Promise<readonly StoredLine[]> {
  if (range.countMax === 0) return [];
  let query = filtered(db, filter).limit(range.countMax);
  if (range.sinceMs !== undefined) {
    query = query.where("at_ms", ">=", range.sinceMs).where("id", ">=", idPrefixAt(range.sinceMs));
  }
  if (range.afterId !== undefined) {
    // The lower bound on the time keeps the index of a function from being read to its beginning.
    query = query.where("id", ">", range.afterId).where("at_ms", ">=", idTimeMs(range.afterId) - storedAfterMsMax);
  }
  const rows = await query.execute();
  return rows.map(toLine).reverse();
}

/** The lines of a call after `afterId`, oldest first. */
export async function linesOfCall(
  db: Kysely<TelemetryTables>,
  callId: string,
  page: { readonly afterId: string; readonly countMax: number },
): Promise<readonly StoredLine[]> {
  const query = db.selectFrom("log_lines").selectAll().where("call_id", "=", callId).where("id", ">", page.afterId);
  return (await query.orderBy("id").limit(page.countMax).execute()).map(toLine);
}

const rowsPerStep = 2_000;
/** What a line takes beside its text: its columns and its places in indexes. */
const rowBytes = 200;

/**
 * The id of the newest line beyond the newest `bytesMax` bytes of lines; undefined when there are not so many. Adds up
 * in steps, so that it never holds up other readers; within the last step it errs on the side of keeping.
 */
export async function firstLineBeyond(db: Kysely<TelemetryTables>, bytesMax: number): Promise<string | undefined> {
  let beforeId: string | undefined;
  for (let bytes = 0; ; ) {
    let step = db.selectFrom("log_lines").select(["id", "text"]).orderBy("id", "desc").limit(rowsPerStep);
    if (beforeId !== undefined) step = step.where("id", "<", beforeId);
    const { rows, textBytes, oldestId } = await db
      .selectFrom(step.as("step"))
      .select([
        sql<number>`count(*)`.as("rows"),
        sql<number | null>`sum(length(text))`.as("textBytes"),
        sql<string | null>`min(id)`.as("oldestId"),
      ])
      .executeTakeFirstOrThrow();
    if (oldestId === null) return undefined;
    if (bytes > bytesMax) return beforeId;
    bytes += Number(textBytes) + Number(rows) * rowBytes;
    beforeId = oldestId;
  }
}

type Lines = SelectQueryBuilder<TelemetryTables, "log_lines", LogLinesTable>;

/** In the order of an index that serves the filter, newest first. */
function filtered(db: Kysely<TelemetryTables>, filter: LogFilter): Lines {
  let query: Lines = db.selectFrom("log_lines").selectAll();
  if (filter.functionId !== undefined) query = query.where("function_id", "=", filter.functionId);
  if (filter.applicationId !== undefined) query = query.where("application_id", "=", filter.applicationId);
  if (filter.callId !== undefined) return query.where("call_id", "=", filter.callId).orderBy("id", "desc");
  if (filter.functionId === undefined && filter.applicationId === undefined) return query.orderBy("id", "desc");
  return query.orderBy("at_ms", "desc").orderBy("id", "desc");
}

function toLine(row: LogLinesTable): StoredLine {
  return {
    id: row.id,
    atMs: row.at_ms,
    applicationId: row.application_id,
    functionId: row.function_id,
    callId: row.call_id ?? undefined,
    stream: memberOf(["stdout", "stderr", "platform"] as const, row.stream),
    text: row.text,
  };
}
