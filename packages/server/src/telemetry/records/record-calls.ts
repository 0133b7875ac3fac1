import { sql } from "kysely";
import { type ColumnType, RowBuffer, type Rows, type Statement, type Store } from "../../drivers/store/driver.ts";
import type { CalledFunctionsTable, CallSecondsTable, TelemetryTables } from "../../drivers/store/tables.ts";
import { type CallBatch, secondCharacters } from "../call-batch.ts";
import type { CalledFunction } from "../called-functions.ts";
import { CallRows, callColumns } from "./call-rows.ts";
import { lastOfSecond } from "./call-seconds.ts";
import { insertFromRows } from "./insert-from-rows.ts";
import { storableText } from "./storable-text.ts";

/** Statements that record a batch of calls. Of what is known of a call the newest stays. */
export type RecordCalls = (batch: CallBatch) => readonly Statement[];

export function callsRecorder(store: Store<TelemetryTables>, nodeId: string): RecordCalls {
  const insertFunctions = insertFromRows(store, "called_functions", calledColumns)
    .onConflict((conflict) => conflict.doNothing())
    .compile();
  const insertSeconds = insertFromRows(store, "call_seconds", secondColumns)
    .onConflict((conflict) => conflict.doNothing())
    .compile();
  const insertCalls = insertFromRows(store, "calls", callColumns)
    .onConflict((conflict) =>
      conflict
        .column("id")
        .doUpdateSet((eb) => Object.fromEntries(changing.map((column) => [column, eb.ref(`excluded.${column}`)])))
        .where(
          sql<boolean>`excluded.attempt > calls.attempt or (excluded.attempt = calls.attempt and
              (excluded.finished_at_ms is not null or calls.finished_at_ms is null))`,
        ),
    )
    .compile();
  return (batch) => [
    ...unlessEmpty(insertFunctions, functionRows(batch.newFunctions)),
    ...unlessEmpty(insertCalls, batch.over.rows()),
    ...unlessEmpty(insertCalls, changingRows(batch, nodeId)),
    ...unlessEmpty(insertSeconds, secondRows(batch.seconds)),
  ];
}

/** What another attempt, or the end of one, says anew. */
const changing = [
  "called_id",
  "status",
  "attempt",
  "node_id",
  "started_at_ms",
  "finished_at_ms",
  "http_status",
  "wait_us",
  "run_us",
  "is_cold_start",
  "request_bytes",
  "response_bytes",
  "problem",
] as const;

const calledColumns = {
  id: "text",
  application_id: "text",
  application_name: "text",
  function_id: "text",
  function_name: "text",
  image: "text",
  memory_mib: "integer",
} as const satisfies Record<keyof CalledFunctionsTable, ColumnType>;

const secondColumns = { owner_id: "text", id: "text" } as const satisfies Record<keyof CallSecondsTable, ColumnType>;

function unlessEmpty(query: Statement["query"], rows: Rows): readonly Statement[] {
  return rows.count === 0 ? [] : [{ query, rows }];
}

function functionRows(functions: Iterable<CalledFunction>): Rows {
  const rows = new RowBuffer(Object.values(calledColumns));
  for (const { id, applicationId, applicationName, functionId, functionName, image, memoryMiB } of functions)
    rows.add([id, applicationId, applicationName, functionId, functionName, storableText(image), memoryMiB]);
  return rows.rows();
}

function changingRows(batch: CallBatch, nodeId: string): Rows {
  const rows = new CallRows(nodeId);
  for (const { call, called } of batch.changing.values()) rows.add(call, called.id);
  return rows.rows();
}

/** In order, so that nodes that write the same ones wait for each other rather than lock each other out. */
function secondRows(seconds: Iterable<string>): Rows {
  const rows = new RowBuffer(Object.values(secondColumns));
  for (const second of [...seconds].sort()) rows.add([second.slice(secondCharacters), lastOfSecond(second)]);
  return rows.rows();
}
