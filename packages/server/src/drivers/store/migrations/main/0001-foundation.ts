import type { Migration } from "../../driver.ts";
import { type ColumnTypes, columnTypes } from "../columns.ts";
import { resourceColumns } from "../resource-columns.ts";

export const foundation: Migration = {
  name: "0001-foundation",
  statements: (dialect) => {
    const types = columnTypes(dialect);
    const tables = [...resources(types), ...code(types), ...work(types), ...coordination(types)];
    return dialect === "postgres" ? [...tables, workVacuum] : tables;
  },
};

/** Rows of work live for seconds: what they leave behind in the indexes must not grow with the length of the queue. */
const workVacuum = "alter table work set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000)";

function resources(types: ColumnTypes): readonly string[] {
  const { text, integer, blob, options } = types;
  const columns = resourceColumns(types);
  return [
    `create table applications (${columns}, name ${text} not null unique, config ${text} not null,
      annotations ${text} not null, syslog_url ${text} not null, shape ${text} not null) ${options}`,

    `create table functions (${columns}, application_id ${text} not null, name ${text} not null, image ${text} not null,
      memory_mib ${integer} not null, timeout_s ${integer} not null, idle_timeout_s ${integer} not null,
      config ${text} not null, annotations ${text} not null, shape ${text} not null,
      unique (application_id, name)) ${options}`,
    "create index functions_image on functions (image)",

    `create table triggers (${columns}, application_id ${text} not null, function_id ${text} not null,
      name ${text} not null, type ${text} not null, source ${text} not null, annotations ${text} not null,
      unique (application_id, type, source), unique (application_id, function_id, name)) ${options}`,
    "create index triggers_application_name on triggers (application_id, name, id)",
    "create index triggers_function on triggers (function_id)",

    `create table secrets (${columns}, application_id ${text} not null, function_id ${text} not null,
      name ${text} not null, sealed ${blob} not null, unique (application_id, function_id, name)) ${options}`,
  ];
}

function code({ text, integer, options }: ColumnTypes): readonly string[] {
  return [
    `create table images (function_id ${text} not null, image ${text} not null, seq ${integer} not null,
      created_at_ms ${integer} not null, primary key (function_id, image), unique (function_id, seq)) ${options}`,
    "create index images_image on images (image)",

    `create table bundles (digest ${text} primary key, payload_id ${text} not null, bytes ${integer} not null,
      created_at_ms ${integer} not null) ${options}`,
    "create index bundles_payload on bundles (payload_id)",
  ];
}

function work({ text, integer, blob, options }: ColumnTypes): readonly string[] {
  return [
    `create table work (id ${text} primary key, kind ${text} not null, lane ${text} not null,
      due_at_ms ${integer} not null, claimable_at_ms ${integer} not null, accepted_at_ms ${integer} not null,
      expires_at_ms ${integer} not null, attempt ${integer} not null, failures ${integer} not null,
      attempts_max ${integer} not null, lease_token ${text}, payload ${blob}, payload_id ${text},
      details ${text} not null, cause_id ${text}, trace_id ${text}) ${options}`,
    // The first finds what is due whatever its lane; the second hops from lane to lane and claims within one. That the
    // first has an expression keeps PostgreSQL from using it for a lane, where it would walk through all other lanes.
    "create index work_claimable on work (kind, (claimable_at_ms + 0))",
    "create index work_lane_claimable on work (kind, lane, claimable_at_ms, id)",
    "create index work_expires on work (expires_at_ms)",
    "create index work_leased on work (lease_token) where lease_token is not null",
    "create index work_payload on work (payload_id) where payload_id is not null",

    `create table dead_letters (id ${text} primary key, kind ${text} not null, lane ${text} not null,
      accepted_at_ms ${integer} not null, died_at_ms ${integer} not null, attempt ${integer} not null,
      attempts_max ${integer} not null, age_ms_max ${integer} not null, payload ${blob}, payload_id ${text},
      details ${text} not null, problem ${text} not null, cause_id ${text}, trace_id ${text}) ${options}`,
    "create index dead_letters_kind on dead_letters (kind, id, lane)",
    "create index dead_letters_lane on dead_letters (kind, lane, id)",
    "create index dead_letters_died on dead_letters (died_at_ms, id)",
    "create index dead_letters_payload on dead_letters (payload_id) where payload_id is not null",

    `create table idempotency_keys (scope ${text} not null, key ${text} not null, fingerprint ${text} not null,
      call_id ${text} not null, expires_at_ms ${integer} not null, primary key (scope, key)) ${options}`,
    "create index idempotency_keys_expires on idempotency_keys (expires_at_ms)",
  ];
}

function coordination({ text, integer, options }: ColumnTypes): readonly string[] {
  return [
    `create table changes (seq ${integer} primary key, kind ${text} not null, id ${text} not null,
      at_ms ${integer} not null) ${options}`,
    "create index changes_at on changes (at_ms)",

    `create table nodes (id ${text} primary key, started_at_ms ${integer} not null,
      seen_at_ms ${integer} not null) ${options}`,

    `create table facts (key ${text} primary key, value ${text} not null) ${options}`,
  ];
}
