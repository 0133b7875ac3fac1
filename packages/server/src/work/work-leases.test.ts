import { describe, expect, it } from "vitest";
import { interruptible } from "../testing/interrupted-store.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { testStores } from "../testing/stores.ts";
import { advanceUntil, eventually, HeldKind, openTestQueue, settled, workIds } from "../testing/test-queue.ts";

const problem = { code: "function-failed", sentence: "It failed.", hint: "" };
const leaseMs = 15_000;

describe.each(testStores())("work leases on $kind", (testStore) => {
  async function twoNodes() {
    const clock = new ManualClock();
    const opened = await testStore.open(clock);
    const second = await opened.openSecond();
    const interrupted = interruptible(opened.store);
    const a = openTestQueue(interrupted.store, clock, { seed: 1 });
    const b = openTestQueue(second.store, clock, { seed: 2 });
    const kindA = new HeldKind();
    const kindB = new HeldKind({ capacity: 0 });
    a.queue.register(kindA);
    b.queue.register(kindB);
    await a.queue.start();
    await b.queue.start();
    const close = async () => {
      interrupted.mend();
      await a[Symbol.asyncDispose]();
      await b[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    };
    return { clock, opened, interrupted, a, b, kindA, kindB, [Symbol.asyncDispose]: close };
  }

  it("are taken over from a node that was killed, once they ran out", async () => {
    await using nodes = await twoNodes();
    const { clock, a, kindA, kindB, interrupted, opened } = nodes;
    const item = a.work({ attemptsMax: 1 });
    await a.queue.add(item);
    await eventually(() => kindA.started.length).toBe(1);
    interrupted.cut();
    kindB.capacity = 1;
    await clock.advance(leaseMs - 1_000);
    await settled(opened);
    expect(kindB.started).toEqual([]);
    await advanceUntil(opened, clock, () => kindB.started.length === 1);
    expect(kindB.started[0]?.work).toMatchObject({ id: item.id, attempt: 2, attemptsMax: 1 });
    kindB.started[0]?.end({ kind: "done" });
    await eventually(() => workIds(opened)).toEqual([]);
  });

  it("are kept as long as the work runs", async () => {
    await using nodes = await twoNodes();
    const { clock, a, kindA, kindB, opened } = nodes;
    await a.queue.add(a.work());
    await eventually(() => kindA.started.length).toBe(1);
    kindB.capacity = 1;
    for (let step = 0; step < 20; step++) {
      await clock.advance(leaseMs / 4);
      await settled(opened);
    }
    expect(kindB.started).toEqual([]);
    expect(kindA.started[0]?.signal.aborted).toBe(false);
    kindA.started[0]?.end({ kind: "done" });
    await eventually(() => workIds(opened)).toEqual([]);
  });

  it("abort what runs on a node that lost them, and what it did counts for nothing", async () => {
    await using nodes = await twoNodes();
    const { clock, a, b, kindA, kindB, interrupted, opened } = nodes;
    const item = a.work({ attemptsMax: 1 });
    await a.queue.add(item);
    await eventually(() => kindA.started.length).toBe(1);
    interrupted.cut();
    kindB.capacity = 1;
    await advanceUntil(opened, clock, () => kindB.started.length === 1);
    expect(kindA.started[0]?.signal.aborted).toBe(true);
    interrupted.mend();
    kindA.started[0]?.end({ kind: "dead", problem });
    await settled(opened);
    expect(await workIds(opened)).toEqual([item.id]);
    expect(await b.queue.deadLetters.get(item.id)).toBeUndefined();
    kindB.started[0]?.end({ kind: "done" });
    await eventually(() => workIds(opened)).toEqual([]);
  });

  const outcomes = [{ kind: "done" }, { kind: "dead", problem }, { kind: "failed", problem }] as const;
  it.each(outcomes)("fence a node that was asleep while its lease was taken: $kind", async (outcome) => {
    await using nodes = await twoNodes();
    const { clock, a, b, kindA, kindB, opened } = nodes;
    const item = a.work({ attemptsMax: 2 });
    await a.queue.add(item);
    await eventually(() => kindA.started.length).toBe(1);
    // What a node that sleeps does not do: renew. The other one finds the lease past its end.
    await opened.store.apply([{ query: opened.store.db.updateTable("work").set({ claimable_at_ms: clock.nowMs() }) }]);
    kindB.capacity = 1;
    kindA.capacity = 0;
    b.queue.added([item]);
    b.queue.capacityChanged("call", "lane");
    await eventually(() => kindB.started.length).toBe(1);
    const row = () => opened.store.db.selectFrom("work").selectAll().execute();
    const before = await row();
    kindA.started[0]?.end(outcome);
    await settled(opened);
    expect(await row()).toEqual(before);
    expect(await b.queue.deadLetters.get(item.id)).toBeUndefined();
    kindB.started[0]?.end({ kind: "done" });
    await eventually(() => workIds(opened)).toEqual([]);
  });

  it("do not start work twice on a node whose clock jumps", async () => {
    await using nodes = await twoNodes();
    const { clock, a, kindA, opened } = nodes;
    await a.queue.add(a.work({ ageMsMax: 1e9 }));
    await eventually(() => kindA.started.length).toBe(1);
    for (const jumpMs of [3_600_000, -7_200_000, 86_400_000]) {
      clock.jump(jumpMs);
      await clock.advance(1_000);
      await settled(opened);
      await clock.advance(leaseMs);
      await settled(opened);
    }
    expect(kindA.started).toHaveLength(1);
    kindA.started[0]?.end({ kind: "done" });
    await eventually(() => workIds(opened)).toEqual([]);
  });

  it("go at once when a node drains, after what finishes in time has finished", async () => {
    await using nodes = await twoNodes();
    const { clock, a, b, kindA, kindB, opened } = nodes;
    const [quick, slow] = [a.work(), a.work({ attemptsMax: 1 })];
    await a.queue.add(quick);
    await a.queue.add(slow);
    await eventually(() => kindA.started.length).toBe(2);
    kindB.capacity = 8;
    const drained = a.queue.drain(5_000);
    const late = a.work();
    await a.queue.add(late);
    await eventually(() => kindB.started.map((run) => run.work.id)).toEqual([late.id]);
    kindA.started.find((run) => run.work.id === quick.id)?.end({ kind: "done" });
    await eventually(() => workIds(opened)).not.toContain(quick.id);
    expect(kindA.started.map((run) => run.signal.aborted)).toEqual([false, false]);
    await clock.advance(5_000);
    await drained;
    expect(kindA.started.find((run) => run.work.id === slow.id)?.signal.aborted).toBe(true);
    b.queue.added([slow]);
    await eventually(() => kindB.started.at(-1)?.work).toMatchObject({ id: slow.id, attempt: 2 });
    for (const run of kindB.started) run.end({ kind: "done" });
    await eventually(() => workIds(opened)).toEqual([]);
    expect(kindA.started).toHaveLength(2);
  });

  it("are not waited for by a stop when all that is left has run and the store refuses what came of it", async () => {
    await using nodes = await twoNodes();
    const { clock, opened, interrupted, a, b, kindA, kindB } = nodes;
    const [refused, running] = [a.work({ lane: "refused" }), a.work({ lane: "running" })];
    for (const item of [refused, running]) await a.queue.add(item);
    await eventually(() => kindA.started.length).toBe(2);
    interrupted.cut();
    kindA.started[0]?.end({ kind: "done" });
    await settled(opened);
    let isDrained = false;
    const drained = a.queue.drain(3_600_000).then(() => {
      isDrained = true;
    });
    // What still runs may finish, and a store that comes back in time takes it.
    await clock.advance(5_000);
    await settled(opened);
    expect(isDrained).toBe(false);
    interrupted.mend();
    await advanceUntil(opened, clock, async () => (await workIds(opened)).length === 1);
    interrupted.cut();
    kindA.started[1]?.end({ kind: "done" });
    await settled(opened);
    await clock.advance(900);
    await settled(opened);
    expect(isDrained).toBe(false);
    await clock.advance(200);
    await drained;
    expect(await workIds(opened)).toEqual([running.id]);
    kindB.capacity = 1;
    b.queue.capacityChanged("call", "running");
    await advanceUntil(opened, clock, () => kindB.started.length === 1);
    expect(kindB.started[0]?.work).toMatchObject({ id: running.id, attempt: 2 });
    kindB.started[0]?.end({ kind: "done" });
    await eventually(() => workIds(opened)).toEqual([]);
  });

  it("drain without waiting when nothing runs any more", async () => {
    await using nodes = await twoNodes();
    const { a, kindA } = nodes;
    await a.queue.add(a.work());
    await eventually(() => kindA.started.length).toBe(1);
    kindA.started[0]?.end({ kind: "done" });
    await a.queue.drain(3_600_000);
  });

  it("let a node that is full leave its work to one that is not, told by a hint", async () => {
    await using nodes = await twoNodes();
    const { a, b, kindA, kindB } = nodes;
    kindA.capacity = 0;
    kindB.capacity = 1;
    const item = a.work();
    await a.queue.add(item);
    await eventually(() => kindB.started.map((run) => run.work.id)).toEqual([item.id]);
    expect(await b.queue.count("call", "lane")).toBe(1);
  });

  it("survive a store that is away for a while: outcomes are written when it is back", async () => {
    await using nodes = await twoNodes();
    const { clock, a, kindA, interrupted, opened } = nodes;
    await a.queue.add(a.work());
    await eventually(() => kindA.started.length).toBe(1);
    interrupted.cut();
    kindA.started[0]?.end({ kind: "done" });
    await clock.advance(6_000);
    await settled(opened);
    expect(await workIds(opened)).toHaveLength(1);
    interrupted.mend();
    await advanceUntil(opened, clock, async () => (await workIds(opened)).length === 0);
    expect(kindA.started).toHaveLength(1);
  });

  it("of a process that was killed are continued by the next on the same data", async () => {
    const clock = new ManualClock();
    let opened = await testStore.open(clock);
    const interrupted = interruptible(opened.store);
    const killed = openTestQueue(interrupted.store, clock, { seed: 1 });
    killed.queue.register(new HeldKind({ capacity: 2 }));
    await killed.queue.start();
    const items = Array.from({ length: 5 }, () => killed.work());
    for (const item of items) await killed.queue.add(item);
    interrupted.cut();
    await killed[Symbol.asyncDispose]();
    opened = await opened.reopen();
    await using node = openTestQueue(opened.store, clock, { seed: 2 });
    const kind = new HeldKind();
    node.queue.register(kind);
    await node.queue.start();
    // Alone on an embedded store it need not wait for the leases of the dead to run out.
    if (testStore.kind === "postgres") await advanceUntil(opened, clock, () => kind.started.length === items.length);
    await eventually(() => kind.started.map((run) => run.work.id).sort()).toEqual(items.map((item) => item.id));
    expect(kind.started.filter((run) => run.work.attempt === 2)).toHaveLength(2);
    for (const run of kind.started) run.end({ kind: "done" });
    await eventually(() => workIds(opened)).toEqual([]);
    await node[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
  });
});
