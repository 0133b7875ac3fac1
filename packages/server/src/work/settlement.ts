import { Problem } from "@chaya/contract";
import type { Statement } from "../drivers/store/driver.ts";
import { type Backoff, retryDelayMs } from "../kernel/retry.ts";
import type { CallProblem } from "../seams.ts";
import type { WorkOutcome } from "./work.ts";

/** What is written about an item that ran. */
export type Settlement =
  | { readonly kind: "done"; readonly statements: readonly Statement[] }
  | { readonly kind: "again"; readonly delayMs: number; readonly isFailure: boolean }
  | { readonly kind: "dead"; readonly problem: CallProblem };

export interface Standing {
  /** Failures counted before this attempt. */
  readonly failures: number;
  readonly attemptsMax: number;
  readonly ageMsMax: number;
  /** Until the item is too old. */
  readonly remainingMs: number;
}

/** Decides what becomes of an item. `random` is in [0, 1). */
export function settlementOf(
  outcome: WorkOutcome,
  standing: Standing,
  chance: { readonly backoff: Backoff; readonly random: number },
): Settlement {
  switch (outcome.kind) {
    case "done":
      return { kind: "done", statements: outcome.statements ?? [] };
    case "dead":
      return { kind: "dead", problem: outcome.problem };
    case "refused": {
      if (standing.remainingMs <= 0) return { kind: "dead", problem: tooOld(standing.ageMsMax) };
      // An item is looked at once more at the very moment it grows too old, so it never outlives its age.
      const delayMs = Math.min(Math.max(0, outcome.delayMs), standing.remainingMs);
      return { kind: "again", delayMs: Math.ceil(delayMs), isFailure: false };
    }
    case "failed": {
      const failures = standing.failures + 1;
      if (failures >= standing.attemptsMax) return { kind: "dead", problem: outcome.problem };
      const delayMs = retryDelayMs(failures, chance.backoff, chance.random);
      if (delayMs >= standing.remainingMs) return { kind: "dead", problem: outcome.problem };
      return { kind: "again", delayMs, isFailure: true };
    }
    default:
      return outcome satisfies never;
  }
}

export function tooOld(ageMsMax: number): CallProblem {
  const problem = new Problem("deadline-passed", { ageMsMax });
  return { code: problem.code, sentence: problem.message, hint: problem.hint };
}
