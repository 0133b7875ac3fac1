import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.ts";
import { createIds, isId } from "./ids.ts";
import { Lifetime } from "./lifetime.ts";
import { LinkedQueue } from "./linked-queue.ts";
import { seededRandom } from "./random.ts";
import { retryDelayMs } from "./retry.ts";
import { Semaphore } from "./semaphore.ts";

describe("ids", () => {
  it("increase in byte order, also within a millisecond and when the clock goes back", () => {
    let nowMs = 1_000;
    const newId = createIds({ nowMs: () => nowMs }, seededRandom(1));
    const ids: string[] = [];
    for (let index = 0; index < 5_000; index++) {
      if (index === 2_000) nowMs += 7;
      if (index === 3_000) nowMs -= 900;
      ids.push(newId());
    }
    expect(ids.every(isId)).toBe(true);
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("are recognised strictly", () => {
    expect(isId("01M87MZ0ECFW00008ZJ0000008")).toBe(true);
    for (const text of ["", "01m87mz0ecfw00008zj0000008", "01M87MZ0ECFW00008ZJ000000U", "81M87MZ0ECFW00008ZJ0000008"])
      expect(isId(text)).toBe(false);
  });
});

describe("a linked queue", () => {
  it("behaves as an array under any mix of operations", () => {
    const operation = fc.oneof(
      fc.record({ kind: fc.constant("push" as const), value: fc.integer() }),
      fc.record({ kind: fc.constantFrom<"shift" | "pop">("shift", "pop") }),
      fc.record({ kind: fc.constant("remove" as const), at: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const queue = new LinkedQueue<number>();
        const model: { value: number; entry: ReturnType<typeof queue.push> }[] = [];
        for (const step of operations) {
          if (step.kind === "push") model.push({ value: step.value, entry: queue.push(step.value) });
          else if (step.kind === "shift") expect(queue.shift()).toBe(model.shift()?.value);
          else if (step.kind === "pop") expect(queue.pop()).toBe(model.pop()?.value);
          else if (step.kind === "remove") {
            const [removed] = model.splice(step.at, 1);
            if (removed !== undefined) {
              expect(queue.remove(removed.entry)).toBe(true);
              expect(queue.remove(removed.entry)).toBe(false);
            }
          }
          expect([...queue]).toEqual(model.map(({ value }) => value));
          expect(queue.size).toBe(model.length);
          expect(queue.peek()).toBe(model[0]?.value);
        }
      }),
    );
  });
});

describe("a lifetime", () => {
  it("closes newest first, once, and goes on after a failure", async () => {
    const closed: string[] = [];
    const lifetime = new Lifetime();
    lifetime.onClose(() => void closed.push("first"));
    lifetime.onClose(() => {
      throw new Error("stuck");
    });
    lifetime.onClose(async () => void closed.push("last"));
    const closing = lifetime[Symbol.asyncDispose]();
    expect(lifetime[Symbol.asyncDispose]()).toBe(closing);
    await expect(closing).rejects.toThrow("closing failed");
    expect(closed).toEqual(["last", "first"]);
  });
});

describe("a semaphore", () => {
  it("never runs more than its permits, in order, and lets a waiter leave", async () => {
    const semaphore = new Semaphore(2);
    const clock = new ManualClock();
    let running = 0;
    let runningMax = 0;
    const order: number[] = [];
    const task = (name: number) => async () => {
      order.push(name);
      runningMax = Math.max(runningMax, ++running);
      await clock.sleep(10);
      running--;
    };
    const leaving = new AbortController();
    const all = [1, 2, 3, 4].map((name) => semaphore.run(task(name)));
    const left = semaphore.run(task(5), leaving.signal);
    leaving.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
    await clock.advance(100);
    await Promise.all(all);
    expect(order).toEqual([1, 2, 3, 4]);
    expect(runningMax).toBe(2);
  });
});

describe("back-off", () => {
  it("grows to its maximum and is never zero", () => {
    const backoff = { baseMs: 1_000, maxMs: 60_000 };
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (repeat, random) => {
          const delay = retryDelayMs(repeat, backoff, random);
          expect(delay).toBeGreaterThanOrEqual(1);
          expect(delay).toBeLessThanOrEqual(Math.min(60_000, 1_000 * 2 ** (repeat - 1)));
        },
      ),
    );
    expect(retryDelayMs(1, backoff, 0)).toBe(1_000);
    expect(retryDelayMs(50, backoff, 0)).toBe(60_000);
  });
});

describe("the manual clock", () => {
  it("runs what is due in order of time and turns sleeps and time-outs", async () => {
    const clock = new ManualClock(0);
    const seen: string[] = [];
    clock.schedule(20, () => seen.push("b"));
    clock.schedule(10, () => seen.push("a"));
    const timer = clock.every(15, () => seen.push("every"));
    const signal = clock.timeout(25);
    await clock.advance(30);
    timer.cancel();
    await clock.advance(30);
    expect(seen).toEqual(["a", "every", "b", "every"]);
    expect(signal.aborted).toBe(true);
    await expect(clock.sleep(5, AbortSignal.abort(new Error("no")))).rejects.toThrow("no");
  });
});
