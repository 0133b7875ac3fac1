import { expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.ts";
import { IdleTimer } from "./idle-timer.ts";

it("tells once that nothing was used for so long, and again only after another use", async () => {
  const clock = new ManualClock();
  const toldAtMs: number[] = [];
  const timer = new IdleTimer(clock, 1_000, () => toldAtMs.push(clock.monotonicMs()));
  await clock.advance(5_000);
  expect(toldAtMs).toEqual([]);
  timer.used();
  await clock.advance(400);
  timer.used();
  await clock.advance(10_000);
  expect(toldAtMs).toEqual([6_400]);
  timer.used();
  await clock.advance(1_000);
  expect(toldAtMs).toEqual([6_400, 16_400]);
  timer.used();
  timer[Symbol.dispose]();
  await clock.advance(5_000);
  expect(toldAtMs).toHaveLength(2);
});
