import type { ResourceColumns } from "../../drivers/store/tables.ts";
import type { IdentityRecord, Tags } from "../model.ts";
import type { AccessRecordDeps } from "./commit.ts";

/** The columns every resource has, for one that is made now. */
export function newResource(
  deps: Pick<AccessRecordDeps, "clock" | "newId">,
  made: { readonly compartmentId: string; readonly createdBy: string; readonly tags: Tags },
): ResourceColumns {
  const nowMs = deps.clock.nowMs();
  return {
    id: deps.newId(),
    compartment_id: made.compartmentId,
    tags: writeTags(made.tags),
    etag: deps.newId(),
    version: 1,
    created_by: made.createdBy,
    cause_id: null,
    trace_id: null,
    created_at_ms: nowMs,
    updated_at_ms: nowMs,
  };
}

/** The columns that every change of a resource renews. */
export function changedResource(
  deps: Pick<AccessRecordDeps, "clock" | "newId">,
  before: { readonly version: number },
): Pick<ResourceColumns, "etag" | "version" | "updated_at_ms"> {
  return { etag: deps.newId(), version: before.version + 1, updated_at_ms: deps.clock.nowMs() };
}

/** What all records of identity have. */
export function identityOf(
  row: ResourceColumns & { readonly name: string; readonly description: string },
): IdentityRecord {
  const { id, name, description, etag, version } = row;
  return { id, name, description, tags: readTags(row.tags), etag, version, createdAtMs: row.created_at_ms };
}

export const noTags: Tags = { freeform: {}, defined: {} };

export function writeTags({ freeform, defined }: Tags): string {
  const hasNone = Object.keys(freeform).length === 0 && Object.keys(defined).length === 0;
  return hasNone ? "{}" : JSON.stringify({ freeform, defined });
}

function readTags(json: string): Tags {
  if (json === "{}") return noTags;
  // Written by `writeTags` from this very type.
  return { ...noTags, ...(JSON.parse(json) as Partial<Tags>) };
}
