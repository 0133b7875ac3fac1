import { describe, expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.ts";
import { testStores } from "../testing/stores.ts";
import { advanceUntil, eventually, HeldKind, openTestQueue, settled, workIds } from "../testing/test-queue.ts";

const problem = { code: "function-failed", sentence: "It failed.", hint: "" };

describe.each(testStores())("work on $kind", (testStore) => {
  it("runs what was added once and removes it when it is done", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using node = openTestQueue(opened.store, clock);
    const kind = new HeldKind();
    node.queue.register(kind);
    await node.queue.start();
    const item = node.work({
      payload: new Uint8Array([0, 1, 255]),
      details: { text: "\u0000 ö" },
      causeId: "cause",
      traceId: "trace",
    });
    await node.queue.add(item);
    await eventually(() => kind.started.length).toBe(1);
    const { dueAtMs, ageMsMax, ...rest } = item;
    expect(kind.started[0]?.work).toEqual({
      ...rest,
      payloadId: undefined,
      dueAtMs,
      acceptedAtMs: clock.nowMs(),
      attempt: 1,
    });
    expect(await node.queue.count("call", "lane")).toBe(1);
    kind.started[0]?.end({ kind: "done" });
    await eventually(() => workIds(opened)).toEqual([]);
    await clock.advance(ageMsMax);
    expect(kind.started).toHaveLength(1);
    expect(await node.queue.count("call", "lane")).toBe(0);
    expect(await node.queue.deadLetters.list({ kind: "call", countMax: 10 })).toEqual([]);
  });

  it("hands a waiting item over exactly as it was added", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using node = openTestQueue(opened.store, clock);
    const kind = new HeldKind({ capacity: 0 });
    node.queue.register(kind);
    await node.queue.start();
    const item = node.work({
      payload: new Uint8Array([0, 1, 255]),
      payloadId: "payload",
      details: { text: "\u0000 ö" },
      attemptsMax: 7,
      causeId: "cause",
      traceId: "trace",
    });
    await node.queue.add(item);
    const acceptedAtMs = clock.nowMs();
    await clock.advance(5_000);
    expect(kind.started).toEqual([]);
    kind.capacity = 1;
    node.queue.capacityChanged("call", "lane");
    await eventually(() => kind.started.length).toBe(1);
    const { ageMsMax: _, ...rest } = item;
    expect({ ...kind.started[0]?.work }).toEqual({ ...rest, payload: expect.anything(), acceptedAtMs, attempt: 1 });
    expect([...(kind.started[0]?.work.payload ?? [])]).toEqual([0, 1, 255]);
  });

  it("runs what was added in the caller's own transaction, and nothing of one that failed", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using node = openTestQueue(opened.store, clock);
    const kind = new HeldKind();
    node.queue.register(kind);
    await node.queue.start();
    const kept = node.work();
    const fact = (key: string) => ({
      query: opened.store.db.insertInto("facts").values({ key, value: "" }),
      expect: 1,
    });
    await opened.store.apply([...node.queue.adding(kept), fact("one")]);
    node.queue.added([kept]);
    const refused = node.work();
    expect((await opened.store.apply([...node.queue.adding(refused), fact("one")])).kind).toBe("refused");
    node.queue.added([refused]);
    await eventually(() => kind.started.map((run) => run.work.id)).toEqual([kept.id]);
    await clock.advance(10_000);
    expect(kind.started).toHaveLength(1);
  });

  it("runs an item when it is due, not before, however far away that is", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using node = openTestQueue(opened.store, clock);
    const kind = new HeldKind();
    node.queue.register(kind);
    await node.queue.start();
    const soon = node.work({ dueAtMs: clock.nowMs() + 321, ageMsMax: 1e9 });
    const later = node.work({ dueAtMs: clock.nowMs() + 90_000_123, ageMsMax: 1e9 });
    await node.queue.add(soon);
    await node.queue.add(later);
    await clock.advance(320);
    await settled(opened);
    expect(kind.started).toEqual([]);
    await clock.advance(2);
    await eventually(() => kind.started.map((run) => run.work.id)).toEqual([soon.id]);
    clock.jump(90_000_000);
    await clock.advance(1_000);
    await eventually(() => kind.started.map((run) => run.work.id)).toEqual([soon.id, later.id]);
  });

  it("repeats a failure with back-off while attempts last, then makes it a dead letter", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using node = openTestQueue(opened.store, clock, { backoff: { baseMs: 1_000, maxMs: 4_000 } });
    const died: string[] = [];
    const kind = Object.assign(new HeldKind(), {
      onDead: (work: { readonly id: string; readonly attempt: number }) => {
        died.push(`${work.id} ${work.attempt}`);
        return [{ query: opened.store.db.insertInto("facts").values({ key: work.id, value: "dead" }), expect: 1 }];
      },
    });
    node.queue.register(kind);
    await node.queue.start();
    const item = node.work({ attemptsMax: 3, payload: new Uint8Array([7]), details: { a: 1 } });
    const acceptedAtMs = clock.nowMs();
    await node.queue.add(item);
    for (const attempt of [1, 2, 3]) {
      await eventually(() => kind.started.length).toBe(attempt);
      kind.started.at(-1)?.end({ kind: "failed", problem });
      await settled(opened);
      expect(kind.started).toHaveLength(attempt);
      if (attempt < 3) await advanceUntil(opened, clock, () => kind.started.length > attempt);
    }
    await eventually(() => node.queue.deadLetters.get(item.id)).toBeDefined();
    expect(kind.attempts(item.id)).toEqual([1, 2, 3]);
    expect(died).toEqual([`${item.id} 3`]);
    expect(await opened.store.db.selectFrom("facts").select("value").where("key", "=", item.id).execute()).toHaveLength(
      1,
    );
    expect(await node.queue.deadLetters.list({ kind: "call", countMax: 10 })).toMatchObject([
      { id: item.id, kind: "call", lane: "lane", attempt: 3, attemptsMax: 3, acceptedAtMs, problem, details: { a: 1 } },
    ]);
    expect(await workIds(opened)).toEqual([]);
  });

  it("lets the rest of a lane go on while one item of it fails again and again", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using node = openTestQueue(opened.store, clock);
    const ran: string[] = [];
    const poison = node.work({ attemptsMax: 50 });
    node.queue.register({
      name: "call",
      placesReserved: 0,
      admit: () => 1,
      run: async (work) => {
        ran.push(work.id);
        return work.id === poison.id ? { kind: "failed", problem } : { kind: "done" };
      },
    });
    const others = Array.from({ length: 20 }, () => node.work());
    for (const item of [poison, ...others]) await opened.store.apply(node.queue.adding(item));
    await node.queue.start();
    await eventually(() => others.filter((item) => !ran.includes(item.id))).toEqual([]);
    expect(ran.filter((id) => id === poison.id)).toHaveLength(1);
    await clock.advance(1_000);
    await eventually(() => ran.filter((id) => id === poison.id).length).toBeGreaterThan(1);
  });

  it("counts no attempt for a refusal, and gives up when the item is too old", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using node = openTestQueue(opened.store, clock);
    const attempts: number[] = [];
    node.queue.register({
      name: "call",
      placesReserved: 0,
      admit: () => 1,
      run: async (work) => {
        attempts.push(work.attempt);
        return { kind: "refused", problem, delayMs: 3_000 };
      },
    });
    await node.queue.start();
    const item = node.work({ attemptsMax: 1, ageMsMax: 20_000 });
    await node.queue.add(item);
    await advanceUntil(opened, clock, async () => (await node.queue.deadLetters.get(item.id)) !== undefined);
    expect(attempts.length).toBeGreaterThan(3);
    expect(attempts).toEqual(attempts.map((_, index) => index + 1));
    const letter = await node.queue.deadLetters.get(item.id);
    expect(letter).toMatchObject({ attempt: attempts.length, problem: { code: "deadline-passed" } });
    expect(letter?.diedAtMs).toBeGreaterThanOrEqual(item.dueAtMs + 20_000);
  });

  it("makes work a dead letter that could never start before it was too old", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using node = openTestQueue(opened.store, clock);
    node.queue.register(new HeldKind({ capacity: 0 }));
    await node.queue.start();
    const old = Array.from({ length: 250 }, () => node.work({ ageMsMax: 20_000 }));
    await Promise.all(old.map((item) => node.queue.add(item)));
    const young = node.work({ ageMsMax: 60_000 });
    await node.queue.add(young);
    await advanceUntil(opened, clock, async () => (await workIds(opened)).length === 1);
    expect(await workIds(opened)).toEqual([young.id]);
    const dead = await node.queue.deadLetters.list({ kind: "call", countMax: 1_000 });
    expect(dead.map((letter) => letter.id)).toEqual(old.map((item) => item.id).reverse());
    expect(dead[0]).toMatchObject({ attempt: 0, problem: { code: "deadline-passed" } });
  });

  it("does not repeat what is dead, whatever attempts remain", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using node = openTestQueue(opened.store, clock);
    const kind = new HeldKind();
    node.queue.register(kind);
    await node.queue.start();
    const item = node.work({ attemptsMax: 9 });
    await node.queue.add(item);
    await eventually(() => kind.started.length).toBe(1);
    kind.started[0]?.end({ kind: "dead", problem });
    await eventually(() => node.queue.deadLetters.get(item.id)).toMatchObject({ attempt: 1, problem });
  });

  it("writes an outcome with its statements or not at all, and runs the item again", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using node = openTestQueue(opened.store, clock);
    const kind = new HeldKind();
    node.queue.register(kind);
    await node.queue.start();
    const item = node.work();
    await node.queue.add(item);
    await eventually(() => kind.started.length).toBe(1);
    const fact = (key: string) => ({
      query: opened.store.db.insertInto("facts").values({ key, value: "" }),
      expect: 1,
    });
    kind.started[0]?.end({ kind: "done", statements: [fact("same"), fact("same")] });
    await settled(opened);
    expect(await workIds(opened)).toEqual([item.id]);
    await advanceUntil(opened, clock, () => kind.started.length === 2);
    kind.started[1]?.end({ kind: "done", statements: [fact("same")] });
    await eventually(() => workIds(opened)).toEqual([]);
    const facts = await opened.store.db.selectFrom("facts").select("key").where("key", "=", "same").execute();
    expect(facts).toHaveLength(1);
  });

  it("takes an exception of a handler for a refusal", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using node = openTestQueue(opened.store, clock);
    const kind = new HeldKind();
    node.queue.register(kind);
    await node.queue.start();
    const item = node.work({ attemptsMax: 1 });
    await node.queue.add(item);
    await eventually(() => kind.started.length).toBe(1);
    kind.started[0]?.fail(new Error("a bug"));
    await advanceUntil(opened, clock, () => kind.started.length === 2);
    expect(kind.attempts(item.id)).toEqual([1, 2]);
  });

  it("starts no more of a lane than it admits, oldest first, and goes on when capacity returns", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using node = openTestQueue(opened.store, clock);
    const kind = new HeldKind({ capacity: 2 });
    node.queue.register(kind);
    await node.queue.start();
    const items = Array.from({ length: 9 }, () => node.work());
    await Promise.all(items.map((item) => node.queue.add(item)));
    for (let ended = 0; ended < items.length; ended++) {
      await eventually(() => kind.started.length).toBe(Math.min(ended + 2, items.length));
      await settled(opened);
      expect(kind.started.length - ended).toBeLessThanOrEqual(2);
      kind.started[ended]?.end({ kind: "done" });
    }
    await eventually(() => workIds(opened)).toEqual([]);
    expect(kind.started.map((run) => run.work.id)).toEqual(items.map((item) => item.id));
  });

  it("keeps reserved places free for their kind and shares the others among lanes in turns", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using node = openTestQueue(opened.store, clock, { placesMax: 6 });
    const calls = new HeldKind({ name: "call", capacity: 100 });
    const timers = new HeldKind({ name: "timer", capacity: 100, placesReserved: 2 });
    node.queue.register(calls);
    node.queue.register(timers);
    for (const lane of ["a", "b"]) {
      const items = Array.from({ length: 50 }, () => node.work({ lane }));
      await opened.store.apply(items.flatMap((item) => node.queue.adding(item)));
    }
    await node.queue.start();
    await eventually(() => calls.started.length).toBe(4);
    await node.queue.add(node.work({ kind: "timer" }));
    await eventually(() => timers.started.length).toBe(1);
    expect(calls.started).toHaveLength(4);
    expect(calls.started.map((run) => run.work.lane).sort()).toEqual(["a", "a", "b", "b"]);
    for (let next = 0; next < 100; next++) {
      await eventually(() => calls.started.length).toBe(Math.min(next + 4, 100));
      calls.started[next]?.end({ kind: "done" });
    }
    for (let count = 4; count <= 100; count += 4) {
      const inA = calls.started.slice(0, count).filter((run) => run.work.lane === "a").length;
      expect(Math.abs(inA - count / 2)).toBeLessThanOrEqual(2);
    }
  });

  it("looks at the store rarely while there is nothing to do", async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    let reads = 0;
    const counted = Object.create(opened.store, {
      db: {
        get: () => {
          reads++;
          return opened.store.db;
        },
      },
      apply: { value: opened.store.apply.bind(opened.store) },
      onHint: { value: opened.store.onHint.bind(opened.store) },
      hint: { value: opened.store.hint.bind(opened.store) },
      now: { value: opened.store.now.bind(opened.store) },
    });
    await using node = openTestQueue(counted, clock);
    node.queue.register(new HeldKind());
    await node.queue.start();
    await node.queue.add(node.work({ dueAtMs: clock.nowMs() + 3_600_000 }));
    await clock.advance(10_000);
    await settled(opened);
    reads = 0;
    for (let second = 0; second < 60; second++) {
      await clock.advance(1_000);
      await settled(opened);
    }
    expect(reads).toBeGreaterThanOrEqual(30);
    expect(reads).toBeLessThanOrEqual(400);
  });
});
