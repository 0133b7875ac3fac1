import { Problem } from "@chaya/contract";
import { chayaRoutes } from "@chaya/contract/chaya";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { seededRandom } from "../kernel/random.ts";
import type { ObservedCall } from "../seams.ts";
import { testStores } from "../testing/stores.ts";
import { TelemetryBench } from "../testing/telemetry-bench.ts";

describe.each(testStores())("call records on $kind", (testStore) => {
  let bench: TelemetryBench;
  beforeEach(async () => {
    bench = await TelemetryBench.open(testStore);
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  it("shows a call at once, with all that is known of it", async () => {
    const call = bench.call({
      status: "failed",
      httpStatus: 502,
      isColdStart: true,
      problem: { code: "function-failed", sentence: "It threw.", hint: "Look." },
      causeId: "cause",
      traceId: "trace",
    });
    bench.telemetry.observeCall(call);
    const shown = await bench.ask(chayaRoutes.getCall, { params: { callId: call.id } });
    const time = new Date(bench.clock.nowMs()).toISOString();
    expect(shown).toEqual({
      id: call.id,
      applicationId: bench.hello.applicationId,
      application: "photos",
      functionId: bench.hello.id,
      function: "hello",
      image: "bundle/photos/hello:sha256-1",
      source: "direct",
      status: "failed",
      attempt: 1,
      httpStatus: 502,
      acceptedAt: time,
      startedAt: time,
      finishedAt: time,
      waitMs: 1.5,
      runMs: 20,
      isColdStart: true,
      requestBytes: 10,
      responseBytes: 20,
      memoryMiB: 128,
      problem: { code: "function-failed", sentence: "It threw.", hint: "Look." },
      causeId: "cause",
      traceId: "trace",
    });
    expect((await bench.listCalls()).items).toEqual([shown]);
  });

  it("writes by itself a moment later", async () => {
    bench.telemetry.observeCall(bench.call());
    await bench.clock.advance(100);
    await expect.poll(() => countCalls()).toBe(1);
  });

  it("answers call-not-found for a call nobody made", async () => {
    for (const callId of [bench.ids(), "x", ""]) {
      const params = { callId };
      await expect(bench.ask(chayaRoutes.getCall, { params })).rejects.toMatchObject({ code: "call-not-found" });
      await expect(bench.ask(chayaRoutes.getCallLog, { params })).rejects.toMatchObject({ code: "call-not-found" });
    }
  });

  it("keeps the newest of what is known of a call, in whatever order it is told", async () => {
    const id = bench.ids();
    const running = { startedAtMs: 1, finishedAtMs: undefined, httpStatus: undefined } as const;
    const story: readonly ObservedCall[] = [
      bench.call({ id, status: "queued", ...running, startedAtMs: undefined }),
      bench.call({ id, status: "running", ...running }),
      bench.call({ id, status: "failed" }),
      bench.call({ id, status: "running", attempt: 2, ...running }),
      bench.call({ id, status: "succeeded", attempt: 2 }),
    ];
    const random = seededRandom(4);
    for (let round = 0; round < 12; round++) {
      const roundId = bench.ids();
      const told = story.map((call) => ({ ...call, id: roundId })).sort(() => random.number() - 0.5);
      for (const call of told) {
        bench.telemetry.observeCall(call);
        if (random.number() < 0.5) await bench.ask(chayaRoutes.getCall, { params: { callId: roundId } });
      }
      expect(await bench.ask(chayaRoutes.getCall, { params: { callId: roundId } })).toMatchObject({
        status: "succeeded",
        attempt: 2,
      });
    }
    expect((await bench.listCalls()).items).toHaveLength(12);
  });

  it("lists newest first through any filter, page by page, each call once", async () => {
    const random = seededRandom(9);
    const pick = <T>(options: readonly T[]) => options[Math.floor(random.number() * options.length)] as T;
    const made: ObservedCall[] = [];
    for (let index = 0; index < 300; index++) {
      const call = bench.call({
        of: pick([bench.hello, bench.resize, bench.billing]),
        status: pick(["succeeded", "failed", "timed-out"]),
        source: pick(["direct", "http", "detached"]),
      });
      made.push(call);
      bench.telemetry.observeCall(call);
      if (random.number() < 0.7) await bench.clock.advance(1);
    }
    const halfway = made[150]?.acceptedAtMs ?? 0;
    const until = new Date(halfway).toISOString();
    const of = (name: string) => (call: ObservedCall) => call.functionName === name;
    const cases: [Parameters<typeof bench.listCalls>[0], (call: ObservedCall) => boolean][] = [
      [{}, () => true],
      [{ app: "photos" }, (call) => call.applicationName === "photos"],
      [{ app: bench.billing.applicationId }, of("billing")],
      [{ app: "photos", fn: "resize" }, of("resize")],
      [{ fn: bench.hello.id, status: "failed" }, (call) => of("hello")(call) && call.status === "failed"],
      [{ status: "timed-out" }, (call) => call.status === "timed-out"],
      [{ source: "http" }, (call) => call.source === "http"],
      [
        { until, status: "failed", source: "direct" },
        (call) => call.acceptedAtMs < halfway && call.status === "failed" && call.source === "direct",
      ],
      [{ since: until, app: "shop" }, (call) => call.acceptedAtMs >= halfway && call.applicationName === "shop"],
    ];
    for (const [query, fits] of cases) {
      const expected = made
        .filter(fits)
        .reverse()
        .map((call) => call.id);
      expect(await listAllIds({ ...query, limit: 7 }), JSON.stringify(query)).toEqual(expected);
      expect(expected.length).toBeGreaterThan(7);
    }
  });

  it("finds the few that fit among many that do not", async () => {
    const rare: string[] = [];
    for (let index = 0; index < 5_000; index++) {
      const call = bench.call({ source: index % 2_400 === 3 ? "http" : "direct" });
      if (call.source === "http") rare.push(call.id);
      bench.telemetry.observeCall(call);
      if (index % 50 === 0) await bench.clock.advance(1);
    }
    expect(await listAllIds({ app: "photos", source: "http", limit: 2 })).toEqual(rare.reverse());
  });

  it("finds the few of a function that fit, over minutes in which others are called all the time", async () => {
    const rare: string[] = [];
    for (let second = 0; second < 300; second++) {
      const status = second % 90 === 5 ? "timed-out" : "succeeded";
      const call = bench.call({ of: bench.resize, status });
      if (status === "timed-out") rare.push(call.id);
      bench.telemetry.observeCall(call);
      for (let index = 0; index < 5; index++) bench.telemetry.observeCall(bench.call({ of: bench.hello }));
      await bench.clock.advance(1_000 + (second % 7));
    }
    rare.reverse();
    for (const query of [{ app: "photos", fn: "resize" }, { app: "photos" }])
      expect(await listAllIds({ ...query, status: "timed-out", limit: 3 })).toEqual(rare);
    expect(await listAllIds({ app: "photos", fn: "resize", limit: 50 })).toHaveLength(300);
    expect(await listAllIds({ fn: bench.billing.id })).toEqual([]);
  });

  it("shows each call with the names, the image and the memory that its function had then", async () => {
    const renamed = { ...bench.hello, name: "hello2", applicationName: "pictures" };
    const calls = [
      bench.call(),
      bench.call({ image: "bundle/photos/hello:sha256-2" }),
      bench.call({ of: renamed }),
      bench.call({ memoryMiB: 256 }),
      bench.call(),
    ];
    for (const call of calls) {
      bench.telemetry.observeCall(call);
      await bench.clock.advance(20 * 3_600_000);
    }
    const { items } = await bench.listCalls({ app: "photos", fn: "hello" });
    const then = ({ id, applicationName, functionName, image, memoryMiB }: ObservedCall) => {
      return { id, application: applicationName, function: functionName, image, memoryMiB };
    };
    expect(items).toMatchObject(calls.map(then).reverse());
  });

  it("refuses a cursor that it did not give out", async () => {
    bench.telemetry.observeCall(bench.call());
    bench.telemetry.observeCall(bench.call());
    const { nextCursor = "" } = await bench.listCalls({ limit: 1 });
    for (const cursor of ["", "x", `${nextCursor}A`, nextCursor.slice(1), Buffer.from("1.x").toString("base64url")]) {
      await expect(bench.listCalls({ cursor }), cursor).rejects.toMatchObject({ code: "cursor-invalid" });
    }
  });

  it("says which application or function it does not know", async () => {
    await expect(bench.listCalls({ app: "nope" })).rejects.toMatchObject({ code: "application-not-found" });
    for (const query of [{ fn: "hello" }, { app: "photos", fn: "billing" }, { app: "photos", fn: bench.billing.id }]) {
      await expect(bench.listCalls(query)).rejects.toMatchObject({ code: "function-not-found" });
    }
  });

  it("stores everything that was observed before it closed", async () => {
    for (let index = 0; index < 3_000; index++) bench.telemetry.observeCall(bench.call());
    await bench.telemetry[Symbol.asyncDispose]();
    expect(await countCalls()).toBe(3_000);
  });

  it("redacts secrets and stores text that no database takes as it is", async () => {
    const problem = { code: "function-failed", sentence: "hunter2 \u0000 \ud800 end", hint: "say swordfish" };
    const call = bench.call({ status: "failed", problem, traceId: "a\u0000b" });
    bench.telemetry.observeCall(call);
    const shown = await bench.ask(chayaRoutes.getCall, { params: { callId: call.id } });
    expect(shown.problem).toEqual({ ...problem, sentence: "[secret] \ufffd \ufffd end", hint: "say [secret]" });
    expect(shown.traceId).toBe("a\ufffdb");
  });

  async function listAllIds(query: Parameters<typeof bench.listCalls>[0]): Promise<readonly string[]> {
    const ids: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await bench.listCalls({ ...query, cursor });
      ids.push(...page.items.map((call) => call.id));
      cursor = page.nextCursor;
      if (cursor === undefined) return ids;
    }
  }

  async function countCalls(): Promise<number> {
    return (await bench.store.db.selectFrom("calls").select("id").execute()).length;
  }
});

describe.each(testStores())("call records while the store on $kind fails", (testStore) => {
  it("keeps them for a store that is away, up to a limit, and says what it dropped", async () => {
    let isAway = true;
    const beforeApply = () => {
      if (isAway) throw new Problem("store-unavailable", { reason: "injected" });
    };
    await using bench = await TelemetryBench.open(testStore, { beforeApply, limits: { callRecordsPendingMax: 300 } });
    const calls = Array.from({ length: 500 }, () => bench.call({ status: "running", finishedAtMs: undefined }));
    for (const call of calls) bench.telemetry.observeCall(call);
    await bench.clock.advance(5_000);
    // A change of what waits already needs no room.
    bench.telemetry.observeCall({ ...(calls[299] ?? bench.call()), status: "failed", finishedAtMs: 5 });
    expect(bench.logged).toEqual(["call records dropped", "telemetry waits for the store"]);
    expect(await bench.metrics()).toContain("chaya_call_records_dropped_total 200\n");
    isAway = false;
    await bench.clock.advance(1_000);
    const { items } = await bench.listCalls({ limit: 1, until: new Date(bench.clock.nowMs()).toISOString() });
    expect(items).toMatchObject([{ id: calls[299]?.id, status: "failed" }]);
    expect(await bench.store.db.selectFrom("calls").select("id").execute()).toHaveLength(300);
  });

  it("shows what is stored while the disk is full", async () => {
    let isFull = false;
    const beforeApply = () => {
      if (isFull) throw new Problem("storage-full", { freeBytes: 1 });
    };
    await using bench = await TelemetryBench.open(testStore, { beforeApply });
    const call = bench.call();
    bench.telemetry.observeCall(call);
    await bench.listCalls();
    isFull = true;
    bench.telemetry.observeCall(bench.call());
    expect((await bench.listCalls()).items).toMatchObject([{ id: call.id }]);
    isFull = false;
    expect((await bench.listCalls()).items).toHaveLength(2);
  });

  it("loses one batch to a bug rather than all that follow", async () => {
    let failures = 1;
    const beforeApply = () => {
      if (failures-- > 0) throw new Error("a bug");
    };
    await using bench = await TelemetryBench.open(testStore, { beforeApply });
    bench.telemetry.observeCall(bench.call());
    await bench.listCalls();
    bench.telemetry.observeCall(bench.call());
    for (const query of [{}, { app: "photos" }]) expect((await bench.listCalls(query)).items).toHaveLength(1);
    expect(bench.logged).toEqual(["telemetry lost"]);
    expect(await bench.metrics()).toContain("chaya_call_records_dropped_total 1\n");
  });
});
