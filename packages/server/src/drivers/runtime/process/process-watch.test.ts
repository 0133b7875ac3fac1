import { expect, it } from "vitest";
import { ManualClock } from "../../../testing/manual-clock.ts";
import { ProcessWatch } from "./process-watch.ts";

it("sees processes also after its thread was ended because nobody looked", async () => {
  const clock = new ManualClock();
  await using watch = new ProcessWatch(clock);
  for (let round = 0; round < 3; round++) {
    const [first, second] = await Promise.all([watch.look([process.pid]), watch.look([2 ** 22])]);
    expect(first).toMatchObject([{ group: process.pid }]);
    expect(second).toEqual([{ group: 2 ** 22, liveCount: 0, memoryBytes: 0 }]);
    await clock.advance(60_000);
  }
});
