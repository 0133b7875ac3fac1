import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type KindUse, poolTargets } from "./pool-targets.ts";
import { StartRate } from "./start-rate.ts";

const sizes = { processesMax: 32, idle: 2, active: 10 };
const unused: KindUse = { starts: 0, expected: 0, peak: 0, lastAtMs: undefined, isCurrent: false };

describe("how many processes wait", () => {
  it.each([
    ["two of the usual kind when nothing happens", [{ ...unused, isCurrent: true }, unused], [2, 0]],
    ["more with every start", [{ ...unused, starts: 1, peak: 1, isCurrent: true }], [4]],
    ["more with every function that came", [{ ...unused, expected: 3, isCurrent: true }], [8]],
    ["ten while starts happen", [{ ...unused, starts: 9, peak: 1, isCurrent: true }], [10]],
    ["as many as came in one second", [{ ...unused, starts: 90, peak: 20, isCurrent: true }], [20]],
    [
      "within the maximum, what was used last first",
      [
        { starts: 90, expected: 0, peak: 20, lastAtMs: 1, isCurrent: false },
        { starts: 90, expected: 0, peak: 20, lastAtMs: 2, isCurrent: false },
        { starts: 9, expected: 0, peak: 1, lastAtMs: 0, isCurrent: true },
      ],
      [2, 20, 10],
    ],
  ])("is %s", (_title, uses, targets) => {
    expect(poolTargets(uses, sizes)).toEqual(targets);
  });

  it("never exceeds the maximum, and none is wanted where none may wait", () => {
    const use = fc.record({
      starts: fc.nat(),
      expected: fc.nat(),
      peak: fc.nat(),
      lastAtMs: fc.option(fc.nat(), { nil: undefined }),
      isCurrent: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(use), fc.nat(100), (uses, processesMax) => {
        const targets = poolTargets(uses, { ...sizes, processesMax });
        expect(targets.reduce((sum, target) => sum + target, 0)).toBeLessThanOrEqual(processesMax);
        expect(targets.every((target) => target >= 0)).toBe(true);
      }),
    );
  });
});

describe("the rate of cold starts", () => {
  it("counts by the second and forgets after five minutes", () => {
    const rate = new StartRate();
    for (const atMs of [0, 900, 999, 1000, 61_000]) rate.note(atMs);
    expect(rate.read(61_000)).toEqual({ starts: 5, peak: 3 });
    expect(rate.read(301_500)).toEqual({ starts: 1, peak: 1 });
    expect(rate.read(400_000)).toEqual({ starts: 0, peak: 0 });
    expect(rate.lastAtMs).toBe(61_000);
  });
});
