import { problem } from "./problem-entry.ts";

/** A place in a text of the policy language and what is wrong there. */
export interface Refusal {
  /** As in `Statement 2, column 14`. */
  readonly where: string;
  readonly reason: string;
  readonly hint: string;
}

/** Of access policies and the matching rules of dynamic groups. */
export const accessProblems = {
  "policy-invalid": problem<Refusal>({
    kind: "invalid",
    sentence: (f) => `${f.where}: ${f.reason}.`,
    hint: (f) => f.hint,
  }),
  "matching-rule-invalid": problem<Refusal>({
    kind: "invalid",
    sentence: (f) => `${f.where}: ${f.reason}.`,
    hint: (f) => f.hint,
  }),
} as const;
