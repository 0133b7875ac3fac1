import { Problem } from "@chaya/contract";
import { describe, expect, it } from "vitest";
import { silentLogger } from "./kernel/logger.ts";
import { ManualClock } from "./testing/manual-clock.ts";
import type { KindFigures } from "./work/work.ts";
import { workMetrics } from "./work-metrics.ts";

const call: KindFigures = { kind: "call", waiting: 3, oldestDueMs: 1_500, running: 2, deadLetters: 1 };

describe("metrics of the work", () => {
  it("leave out what a failing store does not tell, with one line in the log, and show it again", async () => {
    const { read, warnings, answers } = bench();
    answers.push(
      async () => [call],
      refused,
      refused,
      async () => [call],
      refused,
    );
    const whole = await read();
    expect(whole.chaya_work_oldest_due_seconds).toBe(1.5);
    expect(await read()).toEqual({ chaya_nodes_live: 2 });
    expect(await read()).toEqual({ chaya_nodes_live: 2 });
    expect(warnings).toHaveLength(1);
    expect(await read()).toEqual(whole);
    expect(await read()).toEqual({ chaya_nodes_live: 2 });
    expect(warnings).toHaveLength(2);
  });

  it("wait a second for a store that does not answer, and ask it once however many scrapes there are", async () => {
    const { read, answers, clock, asked } = bench();
    const held = Promise.withResolvers<readonly KindFigures[]>();
    answers.push(() => held.promise);
    for (let scrape = 0; scrape < 3; scrape++) {
      const reading = read();
      await clock.advance(1_000);
      expect(await reading).toEqual({ chaya_nodes_live: 2 });
    }
    expect(asked()).toBe(1);
    const reading = read();
    held.resolve([call]);
    expect(await reading).toMatchObject({ chaya_work_waiting: 3, chaya_work_running: 2, chaya_work_dead_letters: 1 });
  });
});

async function refused(): Promise<never> {
  throw new Problem("store-unavailable", { reason: "it is away" });
}

function bench() {
  const clock = new ManualClock();
  const answers: (() => Promise<readonly KindFigures[]>)[] = [];
  const warnings: string[] = [];
  let asked = 0;
  const logger = { ...silentLogger(), warn: (message: string) => void warnings.push(message) };
  const families = workMetrics({
    work: {
      figures: async () => {
        asked++;
        return (await answers.shift()?.()) ?? [];
      },
    },
    liveNodes: { count: () => 2 },
    clock,
    logger,
  });
  const read = async () => {
    const samples = (await families()).flatMap(({ name, samples }) => samples.map(({ value }) => [name, value]));
    return Object.fromEntries(samples);
  };
  return { read, warnings, answers, clock, asked: () => asked };
}
