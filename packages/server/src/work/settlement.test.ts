import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { settlementOf } from "./settlement.ts";

const problem = { code: "function-failed", sentence: "It failed.", hint: "" };
const standing = { failures: 0, attemptsMax: 3, ageMsMax: 100_000, remainingMs: 50_000 };
const chance = { backoff: { baseMs: 1_000, maxMs: 60_000 }, random: 0 };

describe("what becomes of an item that ran", () => {
  it("is gone when it is done, with the statements of its outcome", () => {
    const statements = [{ query: { compile: () => ({}) } }] as never;
    expect(settlementOf({ kind: "done" }, standing, chance)).toEqual({ kind: "done", statements: [] });
    expect(settlementOf({ kind: "done", statements }, standing, chance)).toEqual({ kind: "done", statements });
  });

  it("waits longer after each failure, and is dead after the last attempt", () => {
    const after = (failures: number) => settlementOf({ kind: "failed", problem }, { ...standing, failures }, chance);
    expect(after(0)).toEqual({ kind: "again", delayMs: 1_000, isFailure: true });
    expect(after(1)).toEqual({ kind: "again", delayMs: 2_000, isFailure: true });
    expect(after(2)).toEqual({ kind: "dead", problem });
  });

  it("is dead after a failure when it would be too old at the next attempt", () => {
    const old = { ...standing, remainingMs: 1_000 };
    expect(settlementOf({ kind: "failed", problem }, old, chance)).toEqual({ kind: "dead", problem });
  });

  it("counts no attempt for a refusal, and waits no longer than until it is too old", () => {
    const refused = (delayMs: number) => ({ kind: "refused", problem, delayMs }) as const;
    const exhausted = { ...standing, failures: 2 };
    expect(settlementOf(refused(500), exhausted, chance)).toEqual({ kind: "again", delayMs: 500, isFailure: false });
    expect(settlementOf(refused(1e9), standing, chance)).toEqual({ kind: "again", delayMs: 50_000, isFailure: false });
    const dead = settlementOf(refused(500), { ...standing, remainingMs: 0 }, chance);
    expect(dead).toMatchObject({ kind: "dead", problem: { code: "deadline-passed" } });
  });

  it("always comes to an end: it never waits beyond its age, nor fails more often than it may", () => {
    fc.assert(
      fc.property(
        fc.record({ attemptsMax: fc.integer({ min: 1, max: 101 }), ageMsMax: fc.integer({ min: 1, max: 86_400_000 }) }),
        fc.array(
          fc.tuple(fc.boolean(), fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 0, max: 1e7 })),
        ),
        ({ attemptsMax, ageMsMax }, outcomes) => {
          let [failures, remainingMs] = [0, ageMsMax];
          for (const [isFailure, random, delayMs] of outcomes) {
            const outcome = isFailure
              ? ({ kind: "failed", problem } as const)
              : ({ kind: "refused", problem, delayMs } as const);
            const next = settlementOf(outcome, { failures, attemptsMax, ageMsMax, remainingMs }, { ...chance, random });
            if (next.kind !== "again") return;
            expect(Number.isInteger(next.delayMs) && next.delayMs >= 0).toBe(true);
            expect(next.delayMs).toBeLessThanOrEqual(remainingMs);
            remainingMs -= next.delayMs;
            if (next.isFailure) failures++;
            expect(failures).toBeLessThan(attemptsMax);
          }
        },
      ),
    );
  });
});
