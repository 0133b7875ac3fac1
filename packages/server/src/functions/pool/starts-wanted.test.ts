import { describe, expect, it } from "vitest";
import { type PoolDemand, startsWanted } from "./starts-wanted.ts";

const quiet: PoolDemand = {
  waiting: 0,
  starting: 0,
  concurrency: 1,
  live: 0,
  livesMin: 0,
  oldestWaitMs: 0,
  averageRunMs: undefined,
};

describe("how many instances a pool starts", () => {
  it.each<[string, Partial<PoolDemand>, number]>([
    ["nobody waits", {}, 0],
    ["first calls wait", { waiting: 3 }, 3],
    ["starts are under way for them", { waiting: 3, starting: 2 }, 1],
    ["one instance takes several calls", { waiting: 5, concurrency: 4 }, 2],
    ["the busy ones are new and nobody knows how long they take", { waiting: 1, live: 1 }, 1],
    ["the busy ones are free in no time", { waiting: 16, live: 1, averageRunMs: 0.1 }, 0],
    ["the busy ones take long", { waiting: 2, live: 1, averageRunMs: 200 }, 2],
    ["the queue is long for one", { waiting: 200, live: 1, averageRunMs: 0.1 }, 200],
    [
      "somebody has waited long although calls are short",
      { waiting: 1, live: 1, averageRunMs: 0.1, oldestWaitMs: 50 },
      1,
    ],
    ["fewer live than are always kept", { live: 1, livesMin: 3, starting: 1 }, 1],
    ["those that are kept are enough for who waits", { waiting: 1, livesMin: 3 }, 3],
  ])("%s", (_name, demand, starts) => {
    expect(startsWanted({ ...quiet, ...demand })).toBe(starts);
  });
});
