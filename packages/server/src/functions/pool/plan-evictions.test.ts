import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type IdleInstance, planEvictions, type Shortage } from "./plan-evictions.ts";

const idle = (name: string, idleSinceMs: number, memoryMiB = 128, applicationId = "a") => ({
  ...{ name, idleSinceMs, memoryMiB, applicationId },
});
const enough: Shortage = { memoryMiB: 0, instances: 0, applicationInstances: 0, applicationId: "a" };

describe("evictions", () => {
  it("take the least recently used, as many as are needed", () => {
    const instances = [idle("newest", 3), idle("oldest", 1), idle("middle", 2)];
    const plan = planEvictions(instances, { ...enough, memoryMiB: 200 });
    expect(plan?.map((instance) => instance.name)).toEqual(["oldest", "middle"]);
  });

  it("take those of the application first when it has too many", () => {
    const instances = [idle("other", 1, 128, "b"), idle("own", 2)];
    const plan = planEvictions(instances, { ...enough, applicationInstances: 1, instances: 1 });
    expect(plan?.map((instance) => instance.name)).toEqual(["own"]);
  });

  it("are not begun when they would not be enough", () => {
    expect(planEvictions([idle("only", 1)], { ...enough, memoryMiB: 200 })).toBeUndefined();
    expect(planEvictions([idle("other", 1, 128, "b")], { ...enough, applicationInstances: 1 })).toBeUndefined();
  });

  it("always cover the shortage, and fail only when everything idle would not", () => {
    const instances = fc.array(
      fc.record<IdleInstance>({
        applicationId: fc.constantFrom("a", "b"),
        memoryMiB: fc.integer({ min: 1, max: 100 }),
        idleSinceMs: fc.nat(),
      }),
    );
    const shortage = fc.record({
      memoryMiB: fc.integer({ min: -50, max: 300 }),
      instances: fc.integer({ min: -2, max: 5 }),
      applicationInstances: fc.integer({ min: -2, max: 3 }),
      applicationId: fc.constant("a"),
    });
    fc.assert(
      fc.property(instances, shortage, (all, lacking) => {
        const covers = (chosen: readonly IdleInstance[]) =>
          chosen.reduce((sum, each) => sum + each.memoryMiB, 0) >= lacking.memoryMiB &&
          chosen.length >= lacking.instances &&
          chosen.filter((each) => each.applicationId === "a").length >= lacking.applicationInstances;
        const plan = planEvictions(all, lacking);
        expect(covers(plan ?? all)).toBe(plan !== undefined);
        expect(new Set(plan).size).toBe(plan?.length ?? 0);
      }),
    );
  });
});
