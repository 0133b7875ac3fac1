import { describe, expect, it } from "vitest";
import { silentLogger } from "../kernel/logger.ts";
import { interruptible } from "../testing/interrupted-store.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { testStores } from "../testing/stores.ts";
import { watchLiveNodes } from "./live-nodes.ts";

describe.each(testStores())("live nodes on the $kind store", ({ open }) => {
  it("are counted while they beat, leave at once when they stop, and after three beats when they are killed", async () => {
    const clock = new ManualClock();
    await using opened = await open(clock);
    await using second = await opened.openSecond();
    const shared = { clock, logger: silentLogger() };
    await using first = await watchLiveNodes({ ...shared, store: opened.store, nodeId: "first" });
    expect(first.count()).toBe(1);
    const other = await watchLiveNodes({ ...shared, store: second.store, nodeId: "other" });
    expect(other.count()).toBe(2);
    // A node that was killed long ago left its row.
    const killed = { id: "killed", started_at_ms: 0, seen_at_ms: clock.nowMs() - 1 };
    await opened.store.apply([{ query: opened.store.db.insertInto("nodes").values(killed) }]);
    await until(clock, 5_000, () => first.count() === 3);
    await other[Symbol.asyncDispose]();
    await until(clock, 5_000, () => first.count() === 2);
    await until(clock, 5_000, () => first.count() === 1);
  });

  it("stop without a failure while the store takes no writes, and count for three beats more", async () => {
    const clock = new ManualClock();
    await using opened = await open(clock);
    await using second = await opened.openSecond();
    const interrupted = interruptible(second.store);
    const shared = { clock, logger: silentLogger() };
    await using first = await watchLiveNodes({ ...shared, store: opened.store, nodeId: "first" });
    const other = await watchLiveNodes({ ...shared, store: interrupted.store, nodeId: "other" });
    await until(clock, 5_000, () => first.count() === 2);
    interrupted.cut();
    await other[Symbol.asyncDispose]();
    await until(clock, 5_000, () => first.count() === 2);
    for (let beat = 0; beat < 3; beat++) await until(clock, 5_000, () => true);
    await until(clock, 5_000, () => first.count() === 1);
  });
});

/** Advances beat by beat; the store answers in real time. */
async function until(clock: ManualClock, stepMs: number, isReached: () => boolean): Promise<void> {
  await clock.advance(stepMs);
  for (let turn = 0; turn < 2_000 && !isReached(); turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(isReached()).toBe(true);
}
