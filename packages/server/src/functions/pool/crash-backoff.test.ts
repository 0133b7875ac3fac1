import { limits, Problem } from "@chaya/contract";
import { describe, expect, it } from "vitest";
import { afterStartFailure, type StartFailures, startRefusal } from "./crash-backoff.ts";

const failed = new Problem("instance-start-failed", { how: "exit code 3" });

function failTimes(times: number, problem: Problem = failed): StartFailures | undefined {
  let failures: StartFailures | undefined;
  for (let count = 0; count < times; count++) failures = afterStartFailure(failures, problem, { nowMs: 0, random: 0 });
  return failures;
}

describe("starts that fail in a row", () => {
  it("are held back from the third on, twice as long each time, up to a minute", () => {
    const delays = [1, 2, 3, 4, 5, 6, 20].map((times) => failTimes(times)?.retryAtMs);
    expect(delays).toEqual([0, 0, 500, 1_000, 2_000, 4_000, limits.crashBackoffMsMax]);
  });

  it("say how often, how and until when", () => {
    const refusal = startRefusal(failTimes(4), 400);
    expect(refusal?.code).toBe("function-crash-looping");
    expect(refusal?.retryAfterMs).toBe(600);
    expect(refusal?.message).toBe(
      "The function failed to start 4 times in a row (exit code 3); the next start is tried in 1 s.",
    );
    expect(startRefusal(failTimes(4), 1_000)).toBeUndefined();
  });

  it("go on telling what the last one printed", () => {
    const printing = new Problem("instance-start-failed", { how: "exit code 1", output: "SyntaxError" });
    expect(startRefusal(failTimes(3, printing), 0)?.message).toMatch(/\(exit code 1\).*\. It printed:\nSyntaxError$/);
    const silent = new Problem("instance-start-timed-out", { startTimeoutMs: 5_000, output: "waiting …" });
    expect(startRefusal(failTimes(3, silent), 0)?.message).toMatch(/in time\).*\. It printed:\nwaiting …$/);
  });

  it("keep the words of what was not the function's doing", () => {
    const missing = new Problem("image-unavailable", { image: "a:1", reason: "not here" });
    const full = new Problem("storage-full", { freeBytes: 0 });
    for (const problem of [missing, full]) expect(startRefusal(failTimes(5, problem), 0)).toBe(problem);
  });
});
