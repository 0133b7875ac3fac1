import { describe, expect, it } from "vitest";
import { systemClock } from "../kernel/clock.ts";
import { silentLogger } from "../kernel/logger.ts";
import { interruptible } from "../testing/interrupted-store.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { type OpenTestStore, testStores } from "../testing/stores.ts";
import { eventually } from "../testing/test-queue.ts";
import { type Change, resetKind } from "./changes.ts";
import { createChangesFeed } from "./changes-feed.ts";

describe.each(testStores())("the changes feed on $kind", (testStore) => {
  function follow(feed: ReturnType<typeof createChangesFeed>): Change[] {
    const seen: Change[] = [];
    feed.onChange(async (change) => void seen.push(change));
    return seen;
  }

  async function openFeed(opened: OpenTestStore, options: { clock?: ManualClock; keptMax?: number } = {}) {
    const clock = options.clock ?? new ManualClock();
    const { keptMax } = options;
    const rest = keptMax === undefined ? {} : { keptMax };
    const feed = createChangesFeed({ store: opened.store, clock, logger: silentLogger(), ...rest });
    await feed.start();
    return feed;
  }

  async function change(opened: OpenTestStore, feed: ReturnType<typeof createChangesFeed>, id: string) {
    const seq = await opened.store.transaction((tx) => feed.append(tx, "function", id));
    await feed.published(seq);
    return seq;
  }

  it("has told this node's listeners of a change when its writer is answered", async () => {
    await using opened = await testStore.open();
    await using feed = await openFeed(opened);
    const seen = follow(feed);
    const first = await change(opened, feed, "a");
    expect(seen).toEqual([{ seq: first, kind: "function", id: "a" }]);
    const second = await change(opened, feed, "b");
    expect(second).toBe(first + 1);
    expect(seen).toHaveLength(2);
    await feed.reached(second, AbortSignal.timeout(0));
  });

  it("begins at the newest change there is, and a new listener at the next", async () => {
    await using opened = await testStore.open();
    await using before = await openFeed(opened);
    await change(opened, before, "old");
    await using feed = await openFeed(opened);
    const seen = follow(feed);
    await change(opened, feed, "new");
    const late = follow(feed);
    await change(opened, feed, "newest");
    expect(seen.map((one) => one.id)).toEqual(["new", "newest"]);
    expect(late.map((one) => one.id)).toEqual(["newest"]);
  });

  it("holds nothing of a transaction that failed, and numbers without gaps", async () => {
    await using opened = await testStore.open();
    await using feed = await openFeed(opened);
    const seen = follow(feed);
    const first = await change(opened, feed, "a");
    const failing = opened.store.transaction(async (tx) => {
      await feed.append(tx, "function", "lost");
      throw new Error("changed my mind");
    });
    await expect(failing).rejects.toThrow("changed my mind");
    expect(await change(opened, feed, "b")).toBe(first + 1);
    expect(seen.map((one) => one.id)).toEqual(["a", "b"]);
  });

  it("tells every node every change once and in order, whoever writes at the same time", async () => {
    await using opened = await testStore.open();
    await using second = await opened.openSecond();
    await using a = await openFeed(opened);
    await using b = await openFeed(second);
    const [seenByA, seenByB] = [follow(a), follow(b)];
    const writers = Array.from({ length: 60 }, async (_, n) =>
      n % 2 === 0 ? change(opened, a, `${n}`) : change(second, b, `${n}`),
    );
    const seqs = await Promise.all(writers);
    const newest = Math.max(...seqs);
    await a.reached(newest, AbortSignal.timeout(10_000));
    await b.reached(newest, AbortSignal.timeout(10_000));
    const expected = seqs
      .map((seq, n) => ({ seq, kind: "function", id: `${n}` }))
      .sort((one, two) => one.seq - two.seq);
    expect(seenByA).toEqual(expected);
    expect(seenByB).toEqual(expected);
    expect(expected.map((one) => one.seq - (expected[0]?.seq ?? 0))).toEqual(expected.map((_, index) => index));
  });

  it("reaches another node within 300 ms, by its hint and also without", async () => {
    await using opened = await testStore.open();
    await using second = await opened.openSecond();
    const clock = systemClock();
    const deaf = interruptible(second.store);
    const a = createChangesFeed({ store: opened.store, clock, logger: silentLogger() });
    const b = createChangesFeed({ store: deaf.store, clock, logger: silentLogger() });
    await using _a = a;
    await using _b = b;
    await a.start();
    await b.start();
    const arrivedMs = new Map<string, number>();
    b.onChange(async ({ id }) => void arrivedMs.set(id, clock.monotonicMs()));
    const measure = async (id: string) => {
      await change(opened, a, id);
      const committedMs = clock.monotonicMs();
      await eventually(() => arrivedMs.has(id)).toBe(true);
      return Math.max(0, (arrivedMs.get(id) ?? 0) - committedMs);
    };
    const told: number[] = [];
    for (let round = 0; round < 5; round++) told.push(await measure(`told ${round}`));
    // Only what hints bring is cut; the poll reads.
    deaf.cut();
    const polled: number[] = [];
    for (let round = 0; round < 5; round++) polled.push(await measure(`polled ${round}`));
    console.info(`${testStore.kind}: ms until another node has a change`, { told, polled });
    for (const times of [told, polled]) expect(times.sort((x, y) => x - y)[2]).toBeLessThan(300);
  });

  it("lets a reader wait for a change made elsewhere, until it gives up or the feed closes", async () => {
    await using opened = await testStore.open();
    await using second = await opened.openSecond();
    await using a = await openFeed(opened);
    const b = await openFeed(second);
    const seen = follow(b);
    const seq = await change(opened, a, "a");
    await b.reached(seq, AbortSignal.timeout(10_000));
    expect(seen.map((one) => one.id)).toEqual(["a"]);
    const controller = new AbortController();
    const waiting = b.reached(seq + 1, controller.signal);
    controller.abort(new Error("gave up"));
    await expect(waiting).rejects.toThrow("gave up");
    await expect(b.reached(seq + 1, AbortSignal.abort(new Error("gave up before")))).rejects.toThrow("gave up before");
    const closed = b.reached(seq + 1, AbortSignal.timeout(10_000));
    closed.catch(() => {});
    await b[Symbol.asyncDispose]();
    await expect(closed).rejects.toMatchObject({ code: "server-draining" });
  });

  it("repeats a change for a listener that failed, not for the others, and keeps the order", async () => {
    await using opened = await testStore.open();
    const clock = new ManualClock();
    await using feed = await openFeed(opened, { clock });
    const good = follow(feed);
    const flaky: string[] = [];
    let failures = 2;
    feed.onChange(async ({ id }) => {
      if (id === "a" && failures-- > 0) throw new Error("not now");
      flaky.push(id);
    });
    await change(opened, feed, "a");
    await change(opened, feed, "b");
    for (let poll = 0; poll < 8 && flaky.length < 2; poll++) {
      await clock.advance(250);
      await opened.store.db.selectFrom("facts").selectAll().execute();
    }
    await eventually(() => flaky).toEqual(["a", "b"]);
    expect(good.map((one) => one.id)).toEqual(["a", "b"]);
  });

  it("removes old changes, and tells a node that missed some to load everything", async () => {
    await using opened = await testStore.open();
    await using second = await opened.openSecond();
    const clock = new ManualClock();
    await using a = await openFeed(opened, { clock, keptMax: 10 });
    const deaf = interruptible(second.store);
    const sleepy = createChangesFeed({ store: deaf.store, clock: new ManualClock(), logger: silentLogger() });
    await using _sleepy = sleepy;
    await sleepy.start();
    const seen = follow(sleepy);
    deaf.cut();
    let newest = 0;
    for (let n = 0; n < 30; n++) newest = await change(opened, a, `${n}`);
    await clock.advance(60_000);
    await eventually(async () => (await opened.store.db.selectFrom("changes").select("seq").execute()).length).toBe(10);
    deaf.mend();
    await sleepy.reached(newest, AbortSignal.timeout(10_000));
    expect(seen).toEqual([{ seq: newest, kind: resetKind, id: "" }]);
    const next = await change(opened, a, "next");
    await sleepy.reached(next, AbortSignal.timeout(10_000));
    expect(seen.at(-1)).toEqual({ seq: next, kind: "function", id: "next" });
  });
});
