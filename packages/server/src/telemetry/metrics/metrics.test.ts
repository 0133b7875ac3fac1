import { once } from "node:events";
import { createServer } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { anonymous } from "../../http/principal.ts";
import { testStores } from "../../testing/stores.ts";
import { TelemetryBench } from "../../testing/telemetry-bench.ts";
import { FunctionMetrics } from "./function-metrics.ts";
import { bucketSeconds } from "./metric-columns.ts";
import { MetricsRenderer } from "./metrics-renderer.ts";

const [testStore] = testStores();

describe("metrics", () => {
  let bench: TelemetryBench;
  beforeEach(async () => {
    if (testStore !== undefined) bench = await TelemetryBench.open(testStore, { limits: { metricFunctionsMax: 3 } });
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  it("counts calls by application, function and status, once each attempt has finished", async () => {
    for (const status of ["succeeded", "succeeded", "failed", "timed-out", "refused", "cancelled"] as const) {
      bench.telemetry.observeCall(bench.call({ status, isColdStart: status === "failed" }));
    }
    bench.telemetry.observeCall(bench.call({ status: "running", finishedAtMs: undefined }));
    bench.telemetry.observeCall(bench.call({ of: bench.billing }));
    const text = await bench.metrics();
    expect(matching(text, "chaya_calls_total")).toEqual([
      'chaya_calls_total{app="photos",fn="hello",status="succeeded"} 2',
      'chaya_calls_total{app="photos",fn="hello",status="failed"} 1',
      'chaya_calls_total{app="photos",fn="hello",status="timed-out"} 1',
      'chaya_calls_total{app="photos",fn="hello",status="refused"} 1',
      'chaya_calls_total{app="photos",fn="hello",status="cancelled"} 1',
      'chaya_calls_total{app="shop",fn="billing",status="succeeded"} 1',
    ]);
    expect(matching(text, "chaya_cold_starts_total")).toEqual(['chaya_cold_starts_total{app="photos",fn="hello"} 1']);
  });

  it("keeps cumulative histograms of durations and waits, without calls that never ran", async () => {
    for (const runUs of [500, 1_000, 1_001, 40_000, 400_000_000]) bench.telemetry.observeCall(bench.call({ runUs }));
    bench.telemetry.observeCall(bench.call({ status: "refused", startedAtMs: undefined, runUs: 0, waitUs: 2e6 }));
    const durations = matching(await bench.metrics(), "chaya_call_duration_seconds");
    const expected = bucketSeconds.map((seconds) => (seconds < 0.0025 ? 2 : seconds < 0.05 ? 3 : 4));
    expect(durations.map((line) => line.replace(/.*le=/, ""))).toEqual([
      ...bucketSeconds.map((seconds, index) => `"${seconds}"} ${expected[index]}`),
      '"+Inf"} 5',
      `chaya_call_duration_seconds_sum{app="photos",fn="hello"} ${0.0005 + 0.001 + 0.001001 + 0.04 + 400}`,
      'chaya_call_duration_seconds_count{app="photos",fn="hello"} 5',
    ]);
    expect(await bench.metrics()).toContain('chaya_call_wait_seconds_bucket{app="photos",fn="hello",le="1"} 5\n');
    expect(await bench.metrics()).toContain('chaya_call_wait_seconds_count{app="photos",fn="hello"} 6\n');
  });

  it("shows gauges of the moment, figures of others and of the process", async () => {
    const hello = { applicationName: "photos", functionName: "hello" };
    bench.gauges.push({ ...hello, idle: 2, busy: 0, starting: 1, waiting: 7 });
    const labels = { lane: 'a"b\\c\nd' };
    bench.families.push({
      name: "chaya_work_due",
      help: "Work that is due.",
      type: "gauge",
      samples: [{ labels, value: 3 }],
    });
    const text = await bench.metrics();
    expect(matching(text, "chaya_instances")).toEqual([
      'chaya_instances{app="photos",fn="hello",state="idle"} 2',
      'chaya_instances{app="photos",fn="hello",state="busy"} 0',
      'chaya_instances{app="photos",fn="hello",state="starting"} 1',
    ]);
    expect(text).toContain('chaya_calls_waiting{app="photos",fn="hello"} 7\n');
    expect(text).toContain('# TYPE chaya_work_due gauge\nchaya_work_due{lane="a\\"b\\\\c\\nd"} 3\n');
    expect(text).toMatch(/^process_resident_memory_bytes \d{7,}$/m);
    bench.gauges.length = 0;
    expect(await bench.metrics()).not.toContain("chaya_instances{");
  });

  it("is text that Prometheus reads: every series under its header, every value a number", async () => {
    bench.telemetry.observeCall(bench.call());
    const response = await fetch(`${bench.origin}/metrics`);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    let family = "";
    for (const line of (await response.text()).trimEnd().split("\n")) {
      const [, name] = /^# TYPE ([a-z_]+) (?:counter|gauge|histogram)$/.exec(line) ?? [];
      if (name !== undefined) family = name;
      else if (!line.startsWith("# HELP ")) {
        expect(line.startsWith(family)).toBe(true);
        expect(line).toMatch(/^[a-z_]+(\{([a-z]+="([^"\\\n]|\\["\\n])*",?)+\})? -?[\d.e+-]+$/);
      }
    }
  });

  it("lets functions beyond the limit share a label", async () => {
    for (let index = 0; index < 10; index++) {
      bench.telemetry.observeCall(bench.call({ functionId: `id${index}`, functionName: `fn${index}` }));
    }
    expect(matching(await bench.metrics(), "chaya_calls_total")).toEqual([
      'chaya_calls_total{app="photos",fn="fn0",status="succeeded"} 1',
      'chaya_calls_total{app="photos",fn="fn1",status="succeeded"} 1',
      'chaya_calls_total{app="photos",fn="fn2",status="succeeded"} 1',
      'chaya_calls_total{app="_other",fn="_other",status="succeeded"} 7',
    ]);
  });

  it("goes on counting a function that was deleted and made again", async () => {
    bench.telemetry.observeCall(bench.call());
    bench.telemetry.observeCall(bench.call({ functionId: "another id" }));
    expect(await bench.metrics()).toContain('chaya_calls_total{app="photos",fn="hello",status="succeeded"} 2\n');
  });

  it("gives scrapes made at once the same rendering, and later ones what is new", async () => {
    const texts = await Promise.all(Array.from({ length: 5 }, () => bench.metrics()));
    for (const text of texts) expect(text).not.toContain("chaya_calls_total{");
    bench.telemetry.observeCall(bench.call());
    expect(await bench.metrics()).toContain("chaya_calls_total{");
  });

  it("takes a client that went away for no failure", async () => {
    const served = Promise.withResolvers<void>();
    await using server = createServer((request, response) => {
      const exchange = {
        request,
        response,
        path: "/metrics",
        query: "",
        requestId: "R",
        peer: "127.0.0.1",
        principal: anonymous,
      };
      const serve = async () => bench.telemetry.metrics(exchange);
      response.once("close", () => serve().then(served.resolve, served.reject));
      request.socket.destroy();
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    await expect(fetch(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow();
    await expect(served.promise).resolves.toBeUndefined();
  });

  it("are whole again after the thread that renders them was ended because nobody asked", async () => {
    bench.telemetry.observeCall(bench.call());
    const before = matching(await bench.metrics(), "chaya_calls_total");
    expect(before).toEqual(['chaya_calls_total{app="photos",fn="hello",status="succeeded"} 1']);
    for (let idle = 0; idle < 2; idle++) {
      await bench.clock.advance(300_000);
      expect(matching(await bench.metrics(), "chaya_calls_total")).toEqual(before);
    }
  });

  it("leaves the work of ten thousand functions to another thread", async () => {
    const metrics = new FunctionMetrics(50_000);
    await using renderer = new MetricsRenderer(metrics, bench.clock);
    const names = Array.from({ length: 10_000 }, (_, index) => `function-${index}`);
    for (const name of names) metrics.observe(bench.call({ functionId: name, functionName: name }));
    const gauges = names.map((functionName) => {
      return { applicationName: "photos", functionName, idle: 1, busy: 0, starting: 0, waiting: 0 };
    });
    const read = async () => ({ gauges, families: [] });
    await renderer.render(read);
    const turns = watchTurns();
    const chunks = await renderer.render(read);
    // Rendering here would be one turn of hundreds of milliseconds.
    expect(turns.longestCpuMs()).toBeLessThan(20);
    expect(matching(Buffer.concat(chunks).toString(), "chaya_call_wait_seconds_count")).toHaveLength(10_000);
  });
});

function matching(text: string, name: string): readonly string[] {
  return text.split("\n").filter((line) => line.startsWith(name));
}

/** Until it is asked, notes how much CPU time this thread spends in its longest turn of the loop. */
function watchTurns(): { longestCpuMs(): number } {
  let last = process.threadCpuUsage();
  let longestUs = 0;
  let isStopped = false;
  const turn = () => {
    const { user, system } = process.threadCpuUsage(last);
    longestUs = Math.max(longestUs, user + system);
    last = process.threadCpuUsage();
    if (!isStopped) setImmediate(turn);
  };
  setImmediate(turn);
  return {
    longestCpuMs: () => {
      isStopped = true;
      turn();
      return longestUs / 1000;
    },
  };
}
