import { type CallView, chayaRoutes } from "@chaya/contract/chaya";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "./kernel/logger.ts";
import { endLostCalls } from "./lost-calls.ts";
import type { ObservedCall } from "./seams.ts";
import type { Telemetry } from "./telemetry/index.ts";
import { testStores } from "./testing/stores.ts";
import { TelemetryBench } from "./testing/telemetry-bench.ts";
import { type LiveNodes, watchLiveNodes } from "./work/live-nodes.ts";

const running = { status: "running", finishedAtMs: undefined, httpStatus: undefined } as const;
const problem = { code: "server-ended", sentence: "The server ended while it ran the call." };

describe.each(testStores())("calls on the $kind store that run when their server is killed", ({ kind, open }) => {
  let bench: TelemetryBench;
  let survivor: Telemetry;
  let liveNodes: LiveNodes;
  beforeEach(async () => {
    bench = await TelemetryBench.open({ kind, open });
    survivor = bench.telemetryOf("survivor");
    liveNodes = await watchNode("survivor");
  });
  afterEach(async () => {
    await survivor[Symbol.asyncDispose]();
    await liveNodes[Symbol.asyncDispose]();
    await bench[Symbol.asyncDispose]();
  });

  it("are ended by a server that starts, and nothing else is", async () => {
    const [lost, last] = [bench.call({ ...running, source: "http" }), bench.call(running)];
    const later = bench.call({ ...running, source: "detached" });
    const over = bench.call();
    await record(bench.telemetry, [lost, later, over, last]);
    const own = bench.call(running);
    await record(survivor, [own]);
    await using _ending = endLostCalls({
      store: { kind },
      telemetry: survivor,
      liveNodes,
      clock: bench.clock,
      logger: silentLogger(),
    });
    for (const call of [lost, last]) {
      await expect.poll(() => shown(call)).toMatchObject({ status: "failed", problem, attempt: 1 });
      expect((await shown(call)).finishedAt).toBe(new Date(bench.clock.nowMs()).toISOString());
    }
    for (const call of [later, own]) expect(await shown(call)).toMatchObject({ status: "running" });
    expect(await shown(over)).toMatchObject({ status: "succeeded", problem: undefined });
  });

  it("show what their server says of them when it was not dead after all", async () => {
    const call = bench.call(running);
    await record(bench.telemetry, [call]);
    await using _ending = endLostCalls({
      store: { kind },
      telemetry: survivor,
      liveNodes,
      clock: bench.clock,
      logger: silentLogger(),
    });
    await expect.poll(() => shown(call)).toMatchObject({ status: "failed", problem });
    await record(bench.telemetry, [call]);
    expect(await shown(call)).toMatchObject({ status: "failed", problem });
    await record(bench.telemetry, [bench.call({ id: call.id })]);
    expect(await shown(call)).toMatchObject({ status: "succeeded", problem: undefined });
  });

  // The embedded store belongs to one process.
  if (kind === "postgres")
    it("are ended within a minute by those that go on, and not before it is gone", async () => {
      const killed = await watchNode("node");
      const lost = bench.call(running);
      await record(bench.telemetry, [lost]);
      await using _ending = endLostCalls({
        store: { kind },
        telemetry: survivor,
        liveNodes,
        clock: bench.clock,
        logger: silentLogger(),
      });
      for (let round = 0; round < 5; round++) await beat();
      expect(await shown(lost)).toMatchObject({ status: "running" });
      await killed[Symbol.asyncDispose]();
      // As a node that was killed leaves it.
      const row = { id: "node", started_at_ms: 0, seen_at_ms: bench.clock.nowMs() };
      await bench.main.apply([{ query: bench.main.db.insertInto("nodes").values(row) }]);
      const killedAtMs = bench.clock.nowMs();
      const afterASecond = async () => {
        await bench.clock.advance(1_000);
        return shown(lost);
      };
      await expect.poll(afterASecond, { timeout: 15_000 }).toMatchObject({ status: "failed", problem });
      expect(bench.clock.nowMs() - killedAtMs).toBeLessThan(60_000);
      expect(bench.clock.nowMs() - killedAtMs).toBeGreaterThan(10_000);
    });

  function watchNode(nodeId: string): Promise<LiveNodes> {
    return watchLiveNodes({ store: bench.main, clock: bench.clock, logger: silentLogger(), nodeId });
  }

  /** Lets seconds pass until both nodes have said that they are alive; the store answers in real time. */
  async function beat(): Promise<void> {
    const { clock, main } = bench;
    const sinceMs = clock.nowMs();
    const seen = main.db.selectFrom("nodes").select("id").where("seen_at_ms", ">", sinceMs).orderBy("id");
    const afterASecond = async () => {
      await clock.advance(1_000);
      return (await seen.execute()).map(({ id }) => id);
    };
    await expect.poll(afterASecond, { timeout: 5_000 }).toEqual(["node", "survivor"]);
  }

  function shown(call: ObservedCall): Promise<CallView> {
    return bench.ask(chayaRoutes.getCall, { params: { callId: call.id } });
  }

  /** Observes, and reads so that it is written. */
  async function record(telemetry: Telemetry, calls: readonly ObservedCall[]): Promise<void> {
    for (const call of calls) telemetry.observeCall(call);
    await bench.clock.advance(100);
    const ids = calls.map(({ id }) => id);
    await expect
      .poll(() => bench.store.db.selectFrom("calls").select("id").where("id", "in", ids).execute())
      .toHaveLength(ids.length);
  }
});
