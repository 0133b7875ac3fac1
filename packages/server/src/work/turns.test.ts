import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Places } from "./places.ts";
import { shareTurns } from "./turns.ts";

const lanes = fc.array(
  fc.record({ lane: fc.string(), kind: fc.constantFrom("call", "timer"), startableMax: fc.nat({ max: 40 }) }),
  { maxLength: 20 },
);

describe("turns of lanes", () => {
  it("give each lane the same, whatever it could start, until the places run out", () => {
    fc.assert(
      fc.property(lanes, fc.nat({ max: 100 }), (candidates, placesMax) => {
        let free = placesMax;
        const turns = shareTurns(candidates, () => free-- > 0);
        const got = (candidate: (typeof candidates)[number]) =>
          turns.find((turn) => turn.lane === candidate.lane && turn.kind === candidate.kind)?.countMax ?? 0;
        const total = turns.reduce((sum, turn) => sum + turn.countMax, 0);
        const wanted = candidates.reduce((sum, candidate) => sum + candidate.startableMax, 0);
        expect(total).toBe(Math.min(placesMax, wanted));
        const distinct = new Set(candidates.map((one) => `${one.kind} ${one.lane}`)).size === candidates.length;
        if (!distinct) return;
        const unsatisfied = candidates.filter((one) => got(one) < one.startableMax).map(got);
        const most = Math.max(0, ...candidates.map(got));
        for (const count of unsatisfied) expect(most - count).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe("places", () => {
  it("keep what is reserved for a kind, and never take more than there are", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 5, max: 12 }),
        fc.array(fc.tuple(fc.constantFrom("call", "timer", "delivery"), fc.boolean()), { maxLength: 80 }),
        (placesMax, steps) => {
          const reserved = { call: 0, timer: 2, delivery: 3 };
          const taken = { call: 0, timer: 0, delivery: 0 };
          const places = new Places(placesMax);
          for (const [kind, count] of Object.entries(reserved)) places.reserve(kind, count);
          for (const [kind, isTake] of steps) {
            if (isTake) {
              const total = taken.call + taken.timer + taken.delivery;
              if (places.take(kind)) taken[kind]++;
              else expect(taken[kind] >= reserved[kind]).toBe(true);
              expect(total).toBeLessThanOrEqual(placesMax);
            } else if (taken[kind] > 0) {
              places.give(kind);
              taken[kind]--;
            }
          }
        },
      ),
    );
  });

  it("cannot all be reserved twice", () => {
    const places = new Places(4);
    places.reserve("timer", 3);
    expect(() => places.reserve("delivery", 2)).toThrow("must fit");
  });
});
