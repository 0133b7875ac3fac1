import type { Migration } from "../../driver.ts";
import { type ColumnTypes, columnTypes } from "../columns.ts";

/**
 * On PostgreSQL `calls` and `log_lines` are partitioned by ranges of their id. An id begins with the time it was made,
 * so a range of ids is a range of time, and the id alone stays the primary key on both stores.
 */
export const callsAndLogs: Migration = {
  name: "0001-calls-and-logs",
  statements: (dialect) => {
    const types = columnTypes(dialect);
    if (dialect === "embedded") return tables(types, (options) => options);
    return [
      ...tables(types, () => "partition by range (id)"),
      "create table calls_default partition of calls default",
      "create table log_lines_default partition of log_lines default",
    ];
  },
};

/** `growing`: what ends a table that is partitioned where the store can. */
function tables(
  { text, integer, blob, options, clustered }: ColumnTypes,
  growing: (options: string) => string,
): readonly string[] {
  return [
    `create table calls (id ${text} primary key, called_id ${text} not null, source ${text} not null,
      status ${text} not null, attempt ${integer} not null, node_id ${text}, accepted_at_ms ${integer} not null,
      started_at_ms ${integer}, finished_at_ms ${integer}, http_status ${integer}, wait_us ${integer} not null,
      run_us ${integer} not null, is_cold_start ${integer} not null, request_bytes ${integer} not null,
      response_bytes ${integer} not null, problem ${text}, cause_id ${text}, trace_id ${text}) ${growing(clustered)}`,
    // Every index costs each call: nearly all succeed, and those are found without one.
    "create index calls_status on calls (status, id) where status <> 'succeeded'",

    `create table called_functions (id ${text} primary key, application_id ${text} not null,
      application_name ${text} not null, function_id ${text} not null, function_name ${text} not null,
      image ${text} not null, memory_mib ${integer} not null) ${options}`,
    "create index called_functions_application on called_functions (application_id)",
    "create index called_functions_function on called_functions (function_id)",

    `create table call_seconds (owner_id ${text} not null, id ${text} not null, primary key (owner_id, id)) ${clustered}`,
    "create index call_seconds_time on call_seconds (id)",

    `create table log_lines (id ${text} primary key, at_ms ${integer} not null, application_id ${text} not null,
      function_id ${text} not null, call_id ${text}, stream ${text} not null, text ${blob} not null, cause_id ${text},
      trace_id ${text}) ${growing(options)}`,
    "create index log_lines_call on log_lines (call_id, id) where call_id is not null",
    "create index log_lines_application on log_lines (application_id, at_ms, id)",
    "create index log_lines_function on log_lines (function_id, at_ms, id)",

    `create table captured_inputs (call_id ${text} primary key, function_id ${text} not null,
      captured_at_ms ${integer} not null, content_type ${text} not null, bytes ${integer} not null, payload ${blob},
      payload_id ${text}) ${options}`,
    "create index captured_inputs_captured on captured_inputs (captured_at_ms)",
    "create index captured_inputs_payload on captured_inputs (payload_id) where payload_id is not null",
  ];
}
