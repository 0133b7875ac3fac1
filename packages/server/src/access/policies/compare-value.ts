import { type OcidType, ocidOf } from "@chaya/contract/oci";
import { recordIdOf } from "./parse-condition.ts";
import type { ConditionValue } from "./policy.ts";

/** Text as conditions compare it, without regard to case as on OCI. */
export function folded(text: string): string {
  // The Kelvin sign is the only character whose lower case is an ASCII letter: a twin of k must not pass for one.
  return text.includes("\u212a") ? text.replaceAll(/[^\u212a]+/g, (run) => run.toLowerCase()) : text.toLowerCase();
}

/** Whether an actual value is the one of a condition. Ids are the same when they name the same record, whatever region. */
export function equalsValue(value: ConditionValue, ids: readonly OcidType[] | undefined): (actual: string) => boolean {
  if (value.kind === "pattern") return matchesPattern(value.pattern);
  if (ids === undefined) {
    const wanted = folded(value.text);
    return (actual) => actual === value.text || folded(actual) === wanted;
  }
  const wanted = recordIdOf(value.text, ids);
  if (wanted === undefined) return () => false;
  // Every OCID of a record ends the same: most that are others need not be parsed.
  const end = ocidOf("tenancy", wanted, "").slice("ocid1.tenancy.oc1.".length);
  return (actual) =>
    actual === value.text || actual === wanted || (actual.endsWith(end) && recordIdOf(actual, ids) === wanted);
}

function matchesPattern(pattern: string): (actual: string) => boolean {
  const startsOpen = pattern.startsWith("*");
  const endsOpen = pattern.length > 1 && pattern.endsWith("*");
  const wanted = folded(pattern.slice(startsOpen ? 1 : 0, endsOpen ? -1 : undefined));
  if (startsOpen && endsOpen) return (actual) => folded(actual).includes(wanted);
  if (startsOpen) return (actual) => folded(actual).endsWith(wanted);
  if (endsOpen) return (actual) => folded(actual).startsWith(wanted);
  return (actual) => folded(actual) === wanted;
}
