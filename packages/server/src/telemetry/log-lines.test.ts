import { Problem } from "@chaya/contract";
import { chayaRoutes, type LogLineView, LogList } from "@chaya/contract/chaya";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { testStores } from "../testing/stores.ts";
import { TelemetryBench } from "../testing/telemetry-bench.ts";

describe.each(testStores())("log lines on $kind", (testStore) => {
  let bench: TelemetryBench;
  beforeEach(async () => {
    const limits = {
      logBytesPerCallMax: 1000,
      logLinesPerCallMax: 50,
      logLineBytesMax: 100,
      logBytesPerIdleMinuteMax: 500,
    };
    bench = await TelemetryBench.open(testStore, { limits });
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  it("shows the lines of a call at once and in order", async () => {
    const call = bench.call();
    bench.print("one", { callId: call.id });
    bench.print("two", { callId: call.id, stream: "stderr" });
    bench.print("of another", { callId: bench.ids() });
    bench.print("three", { callId: call.id, stream: "platform" });
    bench.telemetry.observeCall(call);
    const at = new Date(bench.clock.nowMs()).toISOString();
    const line = { at, application: "photos", function: "hello", callId: call.id };
    expect(await bench.ask(chayaRoutes.getCallLog, { params: { callId: call.id } })).toEqual({
      items: [
        { ...line, stream: "stdout", text: "one" },
        { ...line, stream: "stderr", text: "two" },
        { ...line, stream: "platform", text: "three" },
      ],
      isTruncated: false,
    });
  });

  it("keeps what is no text, and shows it as far as it is", async () => {
    bench.print(Buffer.from([0x61, 0, 0xff, 0x62]));
    bench.print("");
    bench.print("<img onerror=x> \u001b[31m\ud83d\ude00");
    expect(await texts()).toEqual(["a\u0000\ufffdb", "", "<img onerror=x> \u001b[31m\ud83d\ude00"]);
  });

  it("redacts secrets before anything is stored", async () => {
    bench.print("password=hunter2;");
    bench.print(`${"x".repeat(95)}swordfish`);
    expect(await texts()).toEqual(["password=[secret];", `${"x".repeat(95)}[secr … line cut`]);
    const rows = await bench.store.db.selectFrom("log_lines").select("text").execute();
    expect(rows.map((row) => Buffer.from(row.text).toString()).join()).not.toMatch(/hunter2|swordfish/);
  });

  it("cuts a long line at a whole character, with a mark", async () => {
    bench.print("ä".repeat(60));
    bench.print(`a${"ä".repeat(60)}`);
    bench.print("cut by the runtime", { isCut: true });
    expect(await texts()).toEqual([
      `${"ä".repeat(50)} … line cut`,
      `a${"ä".repeat(49)} … line cut`,
      "cut by the runtime … line cut",
    ]);
  });

  it("cuts the flood of a call once, with a mark, and leaves other calls alone", async () => {
    const [flooding, other] = [bench.call(), bench.call()];
    for (let index = 0; index < 100; index++) bench.print("x".repeat(99), { callId: flooding.id });
    bench.print("said by the platform", { callId: flooding.id, stream: "platform" });
    bench.print("hello", { callId: other.id });
    bench.telemetry.observeCall(flooding);
    bench.telemetry.observeCall(other);
    const log = await bench.ask(chayaRoutes.getCallLog, { params: { callId: flooding.id } });
    expect(log.isTruncated).toBe(true);
    expect(log.items.map((line) => line.text)).toEqual([
      ...Array.from({ length: 10 }, () => "x".repeat(99)),
      "log cut after 1000 bytes",
      "said by the platform",
    ]);
    expect((await bench.ask(chayaRoutes.getCallLog, { params: { callId: other.id } })).isTruncated).toBe(false);
    expect(await bench.metrics()).toContain('chaya_log_lines_dropped_total{reason="limit"} 90\n');
  });

  it("cuts a flood of empty lines as well", async () => {
    const call = bench.call();
    for (let index = 0; index < 200; index++) bench.print("", { callId: call.id });
    bench.telemetry.observeCall(call);
    const { items } = await bench.ask(chayaRoutes.getCallLog, { params: { callId: call.id } });
    expect(items).toHaveLength(51);
    expect(items.at(-1)).toMatchObject({ stream: "platform", text: "log cut after 50 lines" });
  });

  it("gives every attempt of a call its own room", async () => {
    const call = bench.call();
    const flood = () => {
      for (let index = 0; index < 20; index++) bench.print("x".repeat(99), { callId: call.id });
    };
    flood();
    bench.telemetry.observeCall({ ...call, status: "failed" });
    flood();
    expect((await texts()).filter((text) => text === "log cut after 1000 bytes")).toHaveLength(2);
  });

  it("bounds by the minute what a function prints between its calls", async () => {
    const flood = () => {
      for (let index = 0; index < 20; index++) bench.print("x".repeat(99));
    };
    flood();
    await bench.clock.advance(60_000);
    flood();
    const marks = (await texts()).map((text) => (text.startsWith("x") ? "line" : text));
    const minute = ["line", "line", "line", "line", "line", "log cut after 500 bytes"];
    expect(marks).toEqual([...minute, ...minute]);
  });

  it("reads the newest lines through any filter, oldest first", async () => {
    const call = bench.call();
    for (let index = 0; index < 30; index++) {
      const of = [bench.hello, bench.resize, bench.billing][index % 3] ?? bench.hello;
      bench.print(`${of.name} ${index}`, { of, callId: index < 10 ? call.id : undefined });
      await bench.clock.advance(1000);
    }
    const since = new Date(bench.clock.nowMs() - 5_000).toISOString();
    expect(await texts("?app=photos&limit=3")).toEqual(["hello 27", "resize 28"].toSpliced(0, 0, "resize 25"));
    expect(await texts("?app=photos&fn=resize&limit=2")).toEqual(["resize 25", "resize 28"]);
    expect(await texts(`?fn=${bench.billing.id}&limit=1`)).toEqual(["billing 29"]);
    expect(await texts(`?call=${call.id}&app=shop`)).toEqual(["billing 2", "billing 5", "billing 8"]);
    expect(await texts(`?since=${since}`)).toEqual(["resize 25", "billing 26", "hello 27", "resize 28", "billing 29"]);
    expect(await texts(`?since=${since}&app=shop`)).toEqual(["billing 26", "billing 29"]);
    expect(await texts("?limit=0")).toEqual([]);
  });

  it("names what has been deleted by its id", async () => {
    bench.print("last words");
    bench.functions.delete(bench.hello.id);
    expect((await read("")).at(0)).toMatchObject({ application: "photos", function: bench.hello.id });
  });

  it("says what is wrong with a query", async () => {
    for (const query of [
      "?limit=x",
      "?limit=1001",
      "?limit=-1",
      "?nope=1",
      "?app=a&app=b",
      "?since=yesterday",
      "?follow=yes",
    ]) {
      const response = await fetch(`${bench.origin}/chaya/v1/logs${query}`);
      expect(`${query} ${response.status} ${await response.text()}`).toBe(`${query} 400 request-invalid`);
    }
    const unknown = await fetch(`${bench.origin}/chaya/v1/logs?app=nope`);
    expect(await unknown.text()).toBe("application-not-found");
  });

  async function read(query: string): Promise<readonly LogLineView[]> {
    const response = await fetch(`${bench.origin}/chaya/v1/logs${query}`);
    expect(response.status).toBe(200);
    return LogList().parse(await response.json()).items;
  }

  async function texts(query = ""): Promise<readonly string[]> {
    return (await read(query)).map((line) => line.text);
  }
});

describe.each(testStores())("log lines while the store on $kind is slow", (testStore) => {
  it("keeps what it has room for, and says later what it had not", async () => {
    let isAway = true;
    const beforeApply = () => {
      if (isAway) throw new Problem("store-unavailable", { reason: "injected" });
    };
    await using bench = await TelemetryBench.open(testStore, { beforeApply, limits: { logBytesPendingMax: 3_000 } });
    const call = bench.call();
    for (let index = 0; index < 100; index++) bench.print(`line ${index}`.padEnd(100), { callId: call.id });
    await bench.clock.advance(10_000);
    isAway = false;
    await bench.clock.advance(1_000);
    bench.print("again", { callId: call.id });
    bench.telemetry.observeCall(call);
    await bench.ask(chayaRoutes.getCallLog, { params: { callId: call.id } });
    const { items } = await bench.ask(chayaRoutes.getCallLog, { params: { callId: call.id } });
    expect(items.map((line) => line.text.trim())).toEqual([
      ...Array.from({ length: 10 }, (_, index) => `line ${index}`),
      "90 log lines were not kept: the store was too slow",
      "again",
    ]);
    expect(await bench.metrics()).toContain('chaya_log_lines_dropped_total{reason="store"} 90\n');
  });
});
