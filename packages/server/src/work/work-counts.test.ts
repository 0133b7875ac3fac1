import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.ts";
import { type OpenTestStore, testStores } from "../testing/stores.ts";
import { eventually, HeldKind, openTestQueue, type TestQueue } from "../testing/test-queue.ts";

const problem = { code: "function-failed", sentence: "It failed.", hint: "" };

for (const testStore of testStores()) {
  describe(`figures of the work on ${testStore.kind}`, () => {
    let opened: OpenTestStore;
    let clock: ManualClock;
    let node: TestQueue;
    let calls: HeldKind;
    beforeEach(async () => {
      clock = new ManualClock();
      opened = await testStore.open(clock);
      node = openTestQueue(opened.store, clock);
      calls = new HeldKind({ capacity: 1 });
      node.queue.register(calls);
      node.queue.register(new HeldKind({ name: "timer" }));
      await node.queue.start();
    });
    afterEach(async () => {
      await node[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    });

    it("tell what waits, how long the oldest has been due, what runs and what died, for each kind", async () => {
      const idle = { waiting: 0, oldestDueMs: 0, running: 0, deadLetters: 0 };
      expect(await node.queue.figures()).toEqual([
        { kind: "call", ...idle },
        { kind: "timer", ...idle },
      ]);
      for (let added = 0; added < 3; added++) await node.queue.add(node.work());
      await node.queue.add(node.work({ kind: "timer", dueAtMs: clock.nowMs() + 60_000 }));
      await eventually(() => calls.started.length).toBe(1);
      await clock.advance(2_000);
      expect(await node.queue.figures()).toEqual([
        { kind: "call", waiting: 2, oldestDueMs: 2_000, running: 1, deadLetters: 0 },
        { kind: "timer", ...idle, waiting: 1 },
      ]);
      calls.started[0]?.end({ kind: "dead", problem });
      await eventually(() => calls.started.length).toBe(2);
      calls.started[1]?.end({ kind: "done" });
      await eventually(() => calls.started.length).toBe(3);
      await clock.advance(1_100);
      expect(await node.queue.figures()).toMatchObject([
        { kind: "call", waiting: 0, oldestDueMs: 0, running: 1, deadLetters: 1 },
        { kind: "timer", waiting: 1 },
      ]);
    });

    it("count what a killed node left as due from the end of its lease", async () => {
      calls.capacity = 0;
      await node.queue.add(node.work());
      const lease = { lease_token: "another node's", claimable_at_ms: clock.nowMs() + 5_000 };
      await opened.store.apply([{ query: opened.store.db.updateTable("work").set(lease) }]);
      expect(await node.queue.figures()).toMatchObject([{ kind: "call", waiting: 0, oldestDueMs: 0 }, {}]);
      await clock.advance(7_000);
      expect(await node.queue.figures()).toMatchObject([{ kind: "call", waiting: 1, oldestDueMs: 2_000 }, {}]);
    });
  });
}
