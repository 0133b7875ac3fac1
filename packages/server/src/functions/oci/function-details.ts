import { limits, Problem } from "@chaya/contract";
import type { CreateFunctionDetails, UpdateFunctionDetails } from "@chaya/contract/oci/functions";
import { type Annotations, mergeAnnotations } from "../annotations.ts";
import { checkImage, type FunctionFields } from "../fn-spec.ts";
import type { OciFields, StoredFunction } from "../model.ts";
import { newConfig } from "../record-config.ts";
import { readSettings } from "../settings.ts";
import { keptDigest } from "./image-digest.ts";
import { changedTags, keptMembers } from "./kept-members.ts";

const noTags = { freeform: {}, defined: {} };

/**
 * The function that OCI's `CreateFunctionDetails` ask for. Throws `fn-record-invalid`, `request-invalid`,
 * `parameter-missing`, and `related-not-found` when it is to be made from a pre-built one.
 */
export function functionFrom(
  details: CreateFunctionDetails,
  applicationId: string,
): FunctionFields & Omit<OciFields, "compartmentId"> {
  const { displayName, image, imageDigest, config = {}, memoryInMBs, timeoutInSeconds } = details;
  if (image === undefined && details.sourceDetails !== undefined)
    throw new Problem("related-not-found", { what: "The pre-built function" });
  if (image === undefined) throw new Problem("parameter-missing", { where: "body image" });
  checkImage(image);
  const annotations = settingsFrom({}, details);
  return {
    ...{ applicationId, name: displayName, image, memoryMiB: memoryInMBs },
    timeoutS: timeoutInSeconds ?? limits.functionTimeoutSDefault,
    idleTimeoutS: limits.functionIdleTimeoutSDefault,
    config: newConfig(config),
    ...{ annotations, settings: readSettings(annotations) },
    tags: changedTags(noTags, details),
    ociMembers: keptMembers(keptDigest(image, imageDigest), details),
  };
}

/** What is not given stays; a configuration is replaced as a whole. Throws `fn-record-invalid`, `request-invalid`. */
export function changedFunction(before: StoredFunction, details: UpdateFunctionDetails): StoredFunction {
  const { image = before.image, imageDigest, config } = details;
  checkImage(image);
  const annotations = settingsFrom(before.annotations, details);
  // What it is made from never changes.
  const { sourceDetails: _never, ...changeable } = details;
  return {
    ...before,
    image,
    memoryMiB: details.memoryInMBs ?? before.memoryMiB,
    timeoutS: details.timeoutInSeconds ?? before.timeoutS,
    config: config === undefined ? before.config : newConfig(config),
    ...{ annotations, settings: readSettings(annotations) },
    tags: changedTags(before.tags, details),
    ociMembers: keptMembers({ ...before.ociMembers, ...keptDigest(image, imageDigest) }, changeable),
  };
}

/** Two members of OCI's are settings of ours. */
function settingsFrom(
  before: Annotations,
  details: Pick<UpdateFunctionDetails, "provisionedConcurrencyConfig" | "detachedModeTimeoutInSeconds">,
): Annotations {
  const { provisionedConcurrencyConfig: concurrency, detachedModeTimeoutInSeconds: detachedTimeoutS } = details;
  const change: Record<string, number | ""> = {};
  // An empty text takes the annotation away.
  if (concurrency?.strategy === "CONSTANT") change["chaya/min-instances"] = concurrency.count;
  else if (concurrency?.strategy === "NONE") change["chaya/min-instances"] = "";
  if (detachedTimeoutS !== undefined) change["chaya/detached-timeout"] = detachedTimeoutS;
  return mergeAnnotations(before, change);
}
