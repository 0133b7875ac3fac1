import type { Annotations } from "../annotations.ts";
import type { OciMembers, Tags } from "../model.ts";
import type { RecordConfig } from "../record-config.ts";

/** The columns `config`; only records write them, with what `record-config` let through. */
export function readConfig(json: string): RecordConfig {
  // Written by JSON.stringify from this very type.
  return json === "{}" ? {} : (JSON.parse(json) as RecordConfig);
}

/** The columns `annotations`; only records write them, with what `annotations` let through. */
export function readAnnotations(json: string): Annotations {
  // Written by JSON.stringify from this very type.
  return json === "{}" ? {} : (JSON.parse(json) as Annotations);
}

/** One for all records that nobody tagged. */
export const noTags: Tags = { freeform: {}, defined: {} };

/** The columns `tags`; `{}` is how a record is made that nobody tagged. */
export function readTags(json: string): Tags {
  if (json === "{}") return noTags;
  const { freeform = {}, defined = {} } =
    // Written by JSON.stringify from this very type, but for the `{}`.
    JSON.parse(json) as Partial<Tags>;
  return { freeform, defined };
}

/** The columns `oci`; only records write them, with what the OCI API was given. */
export function readOciMembers(json: string): OciMembers {
  // Written by JSON.stringify from this very type.
  return json === "{}" ? {} : (JSON.parse(json) as OciMembers);
}
