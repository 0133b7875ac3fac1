import { Problem } from "@chaya/contract";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { testStores } from "../testing/stores.ts";
import { TelemetryBench } from "../testing/telemetry-bench.ts";

const hourMs = 3_600_000;

describe.each(testStores())("captured inputs on $kind", (testStore) => {
  let bench: TelemetryBench;
  let isAway = false;
  const beforeApply = () => {
    if (isAway) throw new Problem("store-unavailable", { reason: "injected" });
  };
  beforeEach(async () => {
    bench = await TelemetryBench.open(testStore, {
      beforeApply,
      limits: { capturedInputsMax: 5, capturedInputBytesPendingMax: 300_000 },
    });
  });
  afterEach(() => bench[Symbol.asyncDispose]());

  it.each([0, 1, 4096, 4097, 65_536])(
    "gives back %i bytes as the function received them, in no form a browser runs",
    async (bytes) => {
      const content = Buffer.alloc(bytes, "<script>");
      const callId = capture(content);
      const response = await read(callId);
      expect(response.status).toBe(200);
      expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "content-type": "text/html",
        "content-length": String(bytes),
        "content-disposition": "attachment",
        "content-security-policy": "sandbox",
        "x-content-type-options": "nosniff",
      });
      expect(await payloadCount()).toBe(bytes > 4096 ? 1 : 0);
    },
  );

  it("redacts secrets", async () => {
    expect(await (await read(capture("my hunter2"))).text()).toBe("my [secret]");
  });

  it("keeps no more than the limit, and nothing whose secrets it cannot know", async () => {
    expect(await (await read(capture(Buffer.alloc(70_000, "x")))).text()).toHaveLength(65_536);
    bench.functions.delete(bench.hello.id);
    expect((await read(capture("hunter2"))).status).toBe(404);
    expect(await bench.metrics()).toContain("chaya_captured_inputs_dropped_total 1\n");
  });

  it("keeps a strange content type out of the header", async () => {
    const callId = capture("x", { contentType: "text/plain\r\nSet-Cookie: a=b" });
    expect((await read(callId)).headers.get("content-type")).toBe("application/octet-stream");
  });

  it("keeps the newest input of a call", async () => {
    const callId = capture(Buffer.alloc(10_000, "a"));
    capture("second", { callId });
    expect(await (await read(callId)).text()).toBe("second");
    capture(Buffer.alloc(10_000, "c"), { callId });
    expect(await (await read(callId)).text()).toBe("c".repeat(10_000));
  });

  it("tells a call without an input from a call that nobody made", async () => {
    const call = bench.call();
    bench.telemetry.observeCall(call);
    expect(await (await read(call.id)).text()).toBe("captured-input-not-found");
    for (const unknown of [bench.ids(), "%2e%2e", "x"]) {
      expect(await (await read(unknown)).text()).toBe("call-not-found");
    }
  });

  it("drops what it has no room for, and counts it", async () => {
    for (let index = 0; index < 10; index++) capture(Buffer.alloc(65_536, "x"));
    expect(await bench.metrics()).toContain("chaya_captured_inputs_dropped_total 5\n");
  });

  it("writes the bytes once, however often the store has to be asked", async () => {
    isAway = true;
    const callId = capture(Buffer.alloc(10_000, "x"));
    for (let attempt = 0; attempt < 5; attempt++) expect((await read(callId)).status).toBe(404);
    isAway = false;
    expect(await (await read(callId)).text()).toBe("x".repeat(10_000));
    expect(await payloadCount()).toBe(1);
  });

  it("removes what is too old or too many, with its payload, and names the payloads it keeps", async () => {
    const old = capture(Buffer.alloc(10_000, "x"));
    await read(old);
    await bench.clock.advance(73 * hourMs);
    const kept: string[] = [];
    for (let index = 0; index < 8; index++) {
      kept.push(capture(Buffer.alloc(5_000 + index, "y")));
      await bench.clock.advance(1);
    }
    await read(kept[7] ?? "");
    await bench.telemetry.sweep();
    expect((await read(old)).status).toBe(404);
    for (const [index, callId] of kept.entries()) expect((await read(callId)).status).toBe(index < 3 ? 404 : 200);
    const payloads = await bench.payloads.list({ writtenBeforeMs: Number.MAX_SAFE_INTEGER, countMax: 100 });
    const ids = payloads.map((payload) => payload.id);
    expect(ids).toHaveLength(5);
    expect([...(await bench.telemetry.namedPayloads([...ids, bench.ids()]))].sort()).toEqual(ids);
  });

  function capture(
    content: string | Buffer,
    changes: { readonly callId?: string; readonly contentType?: string } = {},
  ): string {
    const callId = changes.callId ?? bench.ids();
    const contentType = changes.contentType ?? "text/html";
    bench.telemetry.captureInput({ callId, functionId: bench.hello.id, contentType, bytes: Buffer.from(content) });
    return callId;
  }

  function read(callId: string): Promise<Response> {
    return fetch(`${bench.origin}/chaya/v1/calls/${callId}/input`);
  }

  async function payloadCount(): Promise<number> {
    return (await bench.payloads.list({ writtenBeforeMs: Number.MAX_SAFE_INTEGER, countMax: 100 })).length;
  }
});
