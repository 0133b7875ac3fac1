import { limits } from "@chaya/contract";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.ts";
import { testStores } from "../testing/stores.ts";
import { advanceUntil, eventually, HeldKind, openTestQueue, settled, workIds } from "../testing/test-queue.ts";

const problem = { code: "function-failed", sentence: "It failed.", hint: "Look." };

describe.each(testStores())("dead letters on $kind", (testStore) => {
  async function nodeWithDead(count: number) {
    const clock = new ManualClock();
    const opened = await testStore.open(clock);
    const node = openTestQueue(opened.store, clock, { placesMax: 1_000 });
    const kind = new HeldKind({ capacity: 1_000 });
    node.queue.register(kind);
    await node.queue.start();
    const items = Array.from({ length: count }, (_, index) => node.work({ lane: `lane-${index % 3}`, attemptsMax: 2 }));
    await Promise.all(items.map((item) => node.queue.add(item)));
    await eventually(() => kind.started.length).toBe(count);
    for (const run of kind.started) run.end({ kind: "dead", problem });
    await eventually(() => workIds(opened)).toEqual([]);
    const close = async () => {
      await node[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    };
    return { clock, opened, node, kind, items, [Symbol.asyncDispose]: close };
  }

  it("are listed newest first, page by page, of all lanes or of some", async () => {
    await using at = await nodeWithDead(25);
    const { deadLetters } = at.node.queue;
    const newestFirst = at.items.toReversed();
    const read = async (lanes?: readonly string[]) => {
      const ids: string[] = [];
      for (;;) {
        const cursor = ids.at(-1);
        const page = await deadLetters.list({
          kind: "call",
          countMax: 4,
          ...(lanes === undefined ? {} : { lanes }),
          ...(cursor === undefined ? {} : { cursor }),
        });
        if (page.length === 0) return ids;
        ids.push(...page.map((letter) => letter.id));
      }
    };
    expect(await read()).toEqual(newestFirst.map((item) => item.id));
    const some = newestFirst.filter((item) => item.lane !== "lane-1").map((item) => item.id);
    expect(await read(["lane-0", "lane-2"])).toEqual(some);
    expect(await read([])).toEqual([]);
    expect(await deadLetters.list({ kind: "timer", countMax: 10 })).toEqual([]);
  });

  it("go back to work under their id, and go on counting attempts", async () => {
    await using at = await nodeWithDead(1);
    const { deadLetters } = at.node.queue;
    const [item] = at.items;
    await at.clock.advance(1_000);
    expect(await deadLetters.redrive(item?.id ?? "")).toBe(true);
    expect(await deadLetters.redrive(item?.id ?? "")).toBe(false);
    await eventually(() => at.kind.started.length).toBe(2);
    expect(at.kind.started[1]?.work).toMatchObject({ id: item?.id, attempt: 2, acceptedAtMs: at.clock.nowMs() });
    at.kind.started[1]?.end({ kind: "failed", problem });
    await advanceUntil(at.opened, at.clock, () => at.kind.started.length === 3);
    at.kind.started[2]?.end({ kind: "failed", problem });
    await eventually(() => deadLetters.get(item?.id ?? "")).toMatchObject({ attempt: 3, problem });
  });

  it("can be removed once, and are gone then", async () => {
    await using at = await nodeWithDead(2);
    const { deadLetters } = at.node.queue;
    const [item, other] = at.items;
    expect(await deadLetters.remove(item?.id ?? "")).toBe(true);
    expect(await deadLetters.remove(item?.id ?? "")).toBe(false);
    expect(await deadLetters.get(item?.id ?? "")).toBeUndefined();
    expect(await deadLetters.redrive(item?.id ?? "")).toBe(false);
    expect((await deadLetters.list({ kind: "call", countMax: 9 })).map((letter) => letter.id)).toEqual([other?.id]);
  });

  it("go when they are too old", async () => {
    await using at = await nodeWithDead(3);
    const { deadLetters } = at.node.queue;
    at.clock.jump(limits.deadLetterAgeMsMax - 60_000);
    await at.clock.advance(10_000);
    await settled(at.opened);
    expect(await deadLetters.list({ kind: "call", countMax: 9 })).toHaveLength(3);
    await advanceUntil(
      at.opened,
      at.clock,
      async () => (await deadLetters.list({ kind: "call", countMax: 9 })).length === 0,
    );
  });

  it("go, the oldest first, when there are too many", async () => {
    await using at = await nodeWithDead(10);
    const few = openTestQueue(at.opened.store, at.clock, { deadLettersMax: 4 });
    await few.queue.start();
    await at.clock.advance(5_000);
    const kept = at.items.slice(-4).map((item) => item.id);
    await eventually(async () => {
      const left = await at.node.queue.deadLetters.list({ kind: "call", countMax: 99 });
      return left.map((letter) => letter.id).sort();
    }).toHaveLength(4);
    const left = await at.node.queue.deadLetters.list({ kind: "call", countMax: 99 });
    expect(left.map((letter) => letter.id).sort()).toEqual(kept);
    await few[Symbol.asyncDispose]();
  });
});
