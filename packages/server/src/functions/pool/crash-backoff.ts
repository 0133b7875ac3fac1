import { limits, Problem } from "@chaya/contract";
import { retryDelayMs } from "../../kernel/retry.ts";

/** Starts that failed in a row since the last that served a call. */
export interface StartFailures {
  readonly count: number;
  /** What the last one ended with. */
  readonly problem: Problem;
  /** Monotonic; no start is tried before. */
  readonly retryAtMs: number;
}

/** So many starts may fail in a row before further ones are held back: one bad start is no loop. */
const failuresBeforeBackoff = 3;

export function afterStartFailure(
  before: StartFailures | undefined,
  problem: Problem,
  at: { readonly nowMs: number; readonly random: number },
): StartFailures {
  const count = (before?.count ?? 0) + 1;
  const backoff = { baseMs: limits.crashBackoffMsBase, maxMs: limits.crashBackoffMsMax };
  const delayMs =
    count < failuresBeforeBackoff ? 0 : retryDelayMs(count - failuresBeforeBackoff + 1, backoff, at.random);
  return { count, problem, retryAtMs: at.nowMs + delayMs };
}

/** Why nothing may be started now; undefined when a start may be tried. */
export function startRefusal(failures: StartFailures | undefined, nowMs: number): Problem | undefined {
  if (failures === undefined || failures.retryAtMs <= nowMs) return undefined;
  const retryMs = Math.ceil(failures.retryAtMs - nowMs);
  const { problem } = failures;
  // What was not the function's doing (its image cannot be had, the disk is full) says so itself.
  if (problem.code !== "instance-start-failed" && problem.code !== "instance-start-timed-out") return problem;
  return new Problem(
    "function-crash-looping",
    { failures: failures.count, how: howItFailed(problem), retryMs, output: outputOf(problem) },
    { cause: problem, retryAfterMs: retryMs },
  );
}

function howItFailed(problem: Problem): string {
  const how = problem.fields.how;
  return typeof how === "string" ? how : "it did not listen in time";
}

function outputOf(problem: Problem): string | undefined {
  const { output } = problem.fields;
  return typeof output === "string" ? output : undefined;
}
