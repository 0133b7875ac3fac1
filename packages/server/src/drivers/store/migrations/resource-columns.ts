import type { ColumnTypes } from "./columns.ts";

/** The columns that every resource has. */
export function resourceColumns({ text, integer }: ColumnTypes): string {
  return `id ${text} primary key, compartment_id ${text} not null, tags ${text} not null, etag ${text} not null,
    version ${integer} not null, created_by ${text} not null, cause_id ${text}, trace_id ${text},
    created_at_ms ${integer} not null, updated_at_ms ${integer} not null`;
}
