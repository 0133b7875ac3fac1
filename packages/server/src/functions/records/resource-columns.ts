import type { ResourceColumns } from "../../drivers/store/tables.ts";
import type { OciSide } from "../model.ts";
import type { RecordDeps } from "./commit.ts";
import { readOciMembers, readTags } from "./json-columns.ts";

/** The columns every resource has, for one that is made now. */
export function newResource(deps: RecordDeps, createdBy: string): ResourceColumns {
  const nowMs = deps.clock.nowMs();
  return {
    id: deps.newId(),
    compartment_id: deps.compartmentId,
    tags: "{}",
    etag: deps.newId(),
    version: 1,
    created_by: createdBy,
    cause_id: null,
    trace_id: null,
    created_at_ms: nowMs,
    updated_at_ms: nowMs,
  };
}

/** The columns that every change of a resource renews. */
export function changedResource(
  deps: RecordDeps,
  before: { readonly version: number },
): Pick<ResourceColumns, "etag" | "version" | "updated_at_ms"> {
  return { etag: deps.newId(), version: before.version + 1, updated_at_ms: deps.clock.nowMs() };
}

/** Of a record that the Fn API makes. */
export const untouchedByOci: Pick<OciSide, "tags" | "ociMembers"> = {
  tags: { freeform: {}, defined: {} },
  ociMembers: {},
};

type OciColumns = Pick<ResourceColumns, "tags"> & { readonly oci: string };

export function ociColumns({ tags, ociMembers }: Pick<OciSide, "tags" | "ociMembers">): OciColumns {
  return { tags: JSON.stringify(tags), oci: JSON.stringify(ociMembers) };
}

export function ociSideOf(row: Pick<ResourceColumns, "compartment_id" | "etag"> & OciColumns): OciSide {
  const { compartment_id: compartmentId, etag } = row;
  return { compartmentId, etag, tags: readTags(row.tags), ociMembers: readOciMembers(row.oci) };
}
