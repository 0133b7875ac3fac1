import { describe, expect, it } from "vitest";
import { testStores } from "../testing/stores.ts";
import { TelemetryBench } from "../testing/telemetry-bench.ts";

const dayMs = 24 * 3_600_000;

describe.each(testStores())("retention on $kind", (testStore) => {
  // PostgreSQL drops whole days, so every limit is reached with days to spare.
  it("removes calls and log lines beyond their age", async () => {
    const limits = { callRecordsAgeMsMax: 10 * dayMs, logLinesAgeMsMax: 5 * dayMs };
    await using bench = await TelemetryBench.open(testStore, { limits });
    for (let day = 0; day < 15; day++) {
      bench.telemetry.observeCall(bench.call());
      bench.print(`day ${day}`);
      await store(bench);
      await bench.telemetry.sweep();
      await bench.clock.advance(dayMs);
    }
    await bench.telemetry.sweep();
    expect(await count(bench, "calls")).toBeGreaterThanOrEqual(9);
    expect(await count(bench, "calls")).toBeLessThanOrEqual(11);
    expect(await count(bench, "log_lines")).toBeGreaterThanOrEqual(4);
    expect(await count(bench, "log_lines")).toBeLessThanOrEqual(6);
  });

  it("removes the oldest calls and lines beyond their number and bytes", async () => {
    const limits = { callRecordsMax: 2_500, logBytesMax: 1_500_000 };
    await using bench = await TelemetryBench.open(testStore, { limits });
    for (let day = 0; day < 8; day++) {
      for (let index = 0; index < 1_000; index++) {
        bench.telemetry.observeCall(bench.call());
        bench.print("x".repeat(300));
      }
      await store(bench);
      // On PostgreSQL the partitions of the days to come are prepared by sweeping.
      await bench.telemetry.sweep();
      await bench.clock.advance(dayMs);
    }
    await bench.telemetry.sweep();
    // 500 bytes a line: three thousand lines fit, and up to two thousand more are not looked at one by one.
    const [calls, lines] = [await count(bench, "calls"), await count(bench, "log_lines")];
    expect(calls).toBeGreaterThanOrEqual(2_000);
    expect(calls).toBeLessThanOrEqual(4_000);
    expect(lines).toBeGreaterThanOrEqual(3_000);
    expect(lines).toBeLessThanOrEqual(6_000);
  });

  it("sweeps by itself", async () => {
    await using bench = await TelemetryBench.open(testStore, { limits: { callRecordsAgeMsMax: dayMs } });
    bench.telemetry.observeCall(bench.call());
    await store(bench);
    await bench.clock.advance(4 * dayMs);
    await expect
      .poll(async () => {
        await bench.clock.advance(600_000);
        return count(bench, "calls");
      })
      .toBe(0);
  });
});

/** Reading writes what waits. */
async function store(bench: TelemetryBench): Promise<void> {
  await bench.listCalls();
  await fetch(`${bench.origin}/chaya/v1/logs`);
}

async function count(bench: TelemetryBench, table: "calls" | "log_lines"): Promise<number> {
  return (await bench.store.db.selectFrom(table).select("id").execute()).length;
}
