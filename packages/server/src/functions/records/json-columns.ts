import type { Annotations } from "../annotations.ts";
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
