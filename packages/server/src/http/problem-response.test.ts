import { Problem } from "@chaya/contract";
import { describe, expect, it } from "vitest";
import { silentLogger } from "../kernel/logger.ts";
import { asProblem, problemAnswer } from "./problem-response.ts";

const timedOut = new Problem("function-timed-out", { timeoutMs: 2_000, setBy: "func.yaml" });
const request = { requestId: "R", method: "GET", route: "/v2/apps" };

describe("a problem as an answer", () => {
  it("of a failed call has Fn's message first, then what explains it", () => {
    const answer = problemAnswer(timedOut, "fn", { call: { id: "C" } });
    expect(answer.status).toBe(504);
    expect(answer.headers).toEqual(["Content-Type", "application/json; charset=utf-8", "Fn-Call-Id", "C"]);
    expect(answer.body.toString()).toBe(
      `${JSON.stringify({
        message: "Timed out",
        code: "function-timed-out",
        detail: timedOut.message,
        hint: timedOut.hint,
        callId: "C",
      })}\n`,
    );
  });

  it("of a call that has no id yet does not invent one", () => {
    const body = JSON.parse(problemAnswer(timedOut, "fn", { call: {} }).body.toString());
    expect(Object.keys(body)).toEqual(["message", "code", "detail", "hint"]);
  });

  it("tells when to try again, in whole seconds", () => {
    const full = new Problem("queue-full", { waitingMax: 5 }, { retryAfterMs: 1_200 });
    expect(problemAnswer(full, "fn", {}).headers.slice(-2)).toEqual(["Retry-After", "2"]);
    expect(problemAnswer(full, "chaya", {}).headers.slice(-2)).toEqual(["Retry-After", "2"]);
  });

  it("never lets a field replace a standard member", () => {
    const problem = new Problem("internal", { requestId: "other" });
    const body = JSON.parse(problemAnswer(problem, "chaya", { requestId: "R" }).body.toString());
    expect(body.requestId).toBe("R");
  });
});

describe("what was thrown", () => {
  const logged: unknown[] = [];
  const logger = {
    ...silentLogger(),
    error: (message: string, fields?: object) => {
      logged.push({ message, ...fields });
    },
  };

  it("stays the problem it is, unlogged", () => {
    expect(asProblem(timedOut, request, logger)).toBe(timedOut);
    expect(logged).toEqual([]);
  });

  it("is a bug otherwise: internal, with the request id to its reader and the whole of it to the log, once", () => {
    for (const thrown of [new TypeError("x"), "text", undefined]) {
      logged.length = 0;
      const problem = asProblem(thrown, request, logger);
      expect(problem).toMatchObject({ code: "internal", fields: { requestId: "R" } });
      expect(problem.message).toBe("Something went wrong in the platform (request R).");
      expect(logged).toEqual([{ message: "request failed", ...request, err: thrown }]);
    }
  });

  it("is logged when it is a problem inside the platform", () => {
    logged.length = 0;
    const damaged = new Problem("payload-damaged", { payload: "P" });
    expect(asProblem(damaged, request, logger)).toBe(damaged);
    expect(logged).toHaveLength(1);
  });
});
