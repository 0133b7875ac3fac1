import { limits, Problem } from "@chaya/contract";
import type { OciMembers, Tags } from "../model.ts";

/** What the records have columns of their own for, or what the platform itself says. */
const recordMembers: ReadonlySet<string> = new Set([
  ...["id", "compartmentId", "displayName", "lifecycleState", "timeCreated", "timeUpdated"],
  ...["config", "freeformTags", "definedTags", "shape", "syslogUrl"],
  ...["applicationId", "image", "imageDigest", "memoryInMBs", "timeoutInSeconds", "invokeEndpoint"],
  ...["detachedModeTimeoutInSeconds", "provisionedConcurrencyConfig"],
]);

/** The members to keep after a change: each that is given replaces the one before. Throws `request-invalid`. */
export function keptMembers(before: OciMembers, given: OciMembers): OciMembers {
  const changed = Object.entries(given).filter(([name, value]) => value !== undefined && !recordMembers.has(name));
  const members = { ...before, ...Object.fromEntries(changed) };
  if (Buffer.byteLength(JSON.stringify(members)) > limits.ociMembersBytesMax) {
    const reason = `what is kept of it beside its own columns may have at most ${limits.ociMembersBytesMax} bytes`;
    throw new Problem("request-invalid", { where: "body", reason });
  }
  return members;
}

export interface TagsGiven {
  readonly freeformTags?: Tags["freeform"] | undefined;
  readonly definedTags?: Tags["defined"] | undefined;
}

/** Each of the two replaces its kind as a whole, where it is given. */
export function changedTags(before: Tags, { freeformTags, definedTags }: TagsGiven): Tags {
  return { freeform: freeformTags ?? before.freeform, defined: definedTags ?? before.defined };
}
