import type { LogLineView } from "@chaya/contract/chaya";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EventStream, openEventStream } from "../testing/event-stream.ts";
import { testStores } from "../testing/stores.ts";
import { TelemetryBench } from "../testing/telemetry-bench.ts";

describe.each(testStores())("following the log on $kind", (testStore) => {
  let bench: TelemetryBench;
  beforeEach(async () => {
    bench = await TelemetryBench.open(testStore, { limits: { logReadersMax: 8, logReaderBytesPendingMax: 50_000 } });
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  it("begins with older lines and goes on with new ones as server-sent events", async () => {
    bench.print("old");
    const stream = await follow("limit=10");
    expect(stream.response.headers["content-type"]).toBe("text/event-stream");
    await expect.poll(() => texts(stream)).toEqual(["old"]);
    bench.print("new", { callId: "call", stream: "stderr" });
    await expect.poll(() => texts(stream)).toEqual(["old", "new"]);
    expect(stream.events[1]?.event).toBe("line");
    expect(lines(stream)[1]).toEqual({
      at: new Date(bench.clock.nowMs()).toISOString(),
      application: "photos",
      function: "hello",
      callId: "call",
      stream: "stderr",
      text: "new",
    });
    stream.leave();
  });

  it("leaves no gap and repeats nothing between the old and the new, however fast lines come", async () => {
    let printed = 0;
    const print = () => {
      for (let index = 0; index < 5; index++) bench.print(String(printed++));
    };
    print();
    const streams: EventStream[] = [];
    const reading: Promise<Response>[] = [];
    for (let reader = 0; reader < 6; reader++) {
      const opening = follow(`limit=${[0, 1, 3, 50, 200, 1000][reader]}`);
      for (let turn = 0; turn < 20; turn++) {
        print();
        // Others read as well: what was just printed is stored while the history of this one is read.
        reading.push(fetch(`${bench.origin}/chaya/v1/logs?limit=0`));
        await new Promise((resolve) => setImmediate(resolve));
      }
      streams.push(await opening);
    }
    await Promise.all(reading);
    print();
    const last = String(printed - 1);
    for (const stream of streams) await expect.poll(() => texts(stream).at(-1), { timeout: 5_000 }).toBe(last);
    for (const stream of streams) {
      const numbers = texts(stream).map(Number);
      const first = numbers[0] ?? 0;
      expect(numbers).toEqual(Array.from({ length: printed - first }, (_, index) => first + index));
      stream.leave();
    }
  });

  it("shows only what fits the filter, and no secret", async () => {
    const stream = await follow("app=photos&fn=hello&call=mine");
    bench.print("hunter2", { callId: "mine" });
    bench.print("other call", { callId: "other" });
    bench.print("other function", { of: bench.resize, callId: "mine" });
    bench.print("other application", { of: bench.billing, callId: "mine" });
    bench.print("end", { callId: "mine" });
    await expect.poll(() => texts(stream)).toEqual(["[secret]", "end"]);
    stream.leave();
  });

  it("goes on after the last line a reader had seen", async () => {
    const first = await follow("");
    for (const text of ["a", "b", "c"]) bench.print(text);
    await expect.poll(() => texts(first)).toEqual(["a", "b", "c"]);
    first.leave();
    bench.print("d");
    const second = await follow("limit=100", { "last-event-id": first.events[1]?.id ?? "" });
    await expect.poll(() => texts(second)).toEqual(["c", "d"]);
    second.leave();
  });

  it("keeps a silent connection alive every 15 s", async () => {
    const stream = await follow("");
    await bench.clock.advance(45_000);
    await expect.poll(() => stream.comments).toHaveLength(3);
    expect(stream.events).toEqual([]);
    stream.leave();
  });

  it("leaves out what a slow reader does not take, and tells it how much", async () => {
    const stream = await openEventStream(url(""), { isPaused: true });
    const other = await follow("");
    const count = 4_000;
    for (let index = 0; index < count; index++) {
      bench.print(`${index} ${"x".repeat(2_000)}`, { callId: `call ${index}` });
      if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(() => other.events.length).toBeGreaterThan(count / 2);
    stream.response.resume();
    await expect.poll(() => texts(stream).filter((text) => text.includes("were left out")).length).toBe(1);
    bench.print("afterwards");
    await expect.poll(() => texts(stream).at(-1)).toBe("afterwards");
    const seen = texts(stream);
    const mark = seen.find((text) => text.includes("were left out")) ?? "";
    expect(Number.parseInt(mark, 10)).toBe(count - (seen.length - 2));
    stream.leave();
    other.leave();
  });

  it("forgets a reader that went away", async () => {
    const streams = await Promise.all([follow(""), follow(""), follow("")]);
    expect(await bench.metrics()).toContain("chaya_log_readers 3\n");
    for (const stream of streams) stream.leave();
    await expect.poll(() => bench.metrics()).toContain("chaya_log_readers 0\n");
  });

  it("takes a bounded number of readers", async () => {
    const streams = await Promise.all(Array.from({ length: 8 }, () => follow("")));
    const refused = await fetch(url(""));
    expect(`${refused.status} ${await refused.text()}`).toBe("429 log-readers-exhausted");
    for (const stream of streams) stream.leave();
  });

  it("ends every reader when the server drains, and takes no more", async () => {
    const [reading, paused] = [await follow(""), await openEventStream(url(""), { isPaused: true })];
    bench.print("last");
    bench.telemetry.drain();
    await reading.ended;
    expect(texts(reading)).toEqual(["last"]);
    paused.response.resume();
    await paused.ended;
    const refused = await fetch(url(""));
    expect(`${refused.status} ${await refused.text()}`).toBe("503 server-draining");
  });

  function url(query: string): string {
    return `${bench.origin}/chaya/v1/logs?follow=true${query === "" ? "" : `&${query}`}`;
  }

  function follow(query: string, headers: Record<string, string> = {}): Promise<EventStream> {
    return openEventStream(url(query), { headers });
  }
});

function lines(stream: EventStream): readonly LogLineView[] {
  return stream.events.map((event) => JSON.parse(event.data));
}

function texts(stream: EventStream): readonly string[] {
  return lines(stream).map((line) => line.text);
}
