import { limits } from "@chaya/contract";
import { afterEach, describe, expect, it } from "vitest";
import { InvocationRig, type RequestHeaders, type RigOptions } from "../testing/invocation-rig.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { type OpenTestStore, testStores } from "../testing/stores.ts";
import type { FunctionRecord } from "./model.ts";

const detached: RequestHeaders = { "Fn-Invoke-Type": "detached" };

describe.each(testStores().map((store) => [store.kind, store] as const))("detached calls on %s", (_kind, store) => {
  const rigs: InvocationRig[] = [];
  const stores: OpenTestStore[] = [];
  afterEach(async () => {
    for (const rig of rigs.splice(0)) await rig[Symbol.asyncDispose]();
    for (const opened of stores.splice(0)) await opened[Symbol.asyncDispose]();
  });

  async function open(
    options: RigOptions & { readonly settings?: Partial<FunctionRecord["settings"]>; readonly isIdle?: boolean } = {},
  ): Promise<{ rig: InvocationRig; fn: FunctionRecord }> {
    const clock = options.clock ?? new ManualClock();
    const opened = options.opened ?? (await store.open(clock));
    if (options.opened === undefined) stores.push(opened);
    const rig = await InvocationRig.open({ ...options, clock, opened });
    rigs.push(rig);
    const fn = rig.addFunction("worker", { timeoutS: 30, settings: options.settings ?? {} });
    if (!options.isIdle) await rig.work.start();
    return { rig, fn };
  }

  /** Lets the clock run until the condition holds: work is retried and swept by time. */
  async function passUntil(rig: InvocationRig, condition: () => boolean): Promise<void> {
    for (let step = 0; step < 1_000 && !condition(); step++) {
      await rig.clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(condition()).toBe(true);
  }

  it("are acknowledged with 202 and nothing but the call id, then run", async () => {
    const { rig, fn } = await open();
    const bodies: string[] = [];
    const headers: (string | undefined)[] = [];
    rig.script.answer = async ({ request, response, body }) => {
      bodies.push((await body()).toString());
      for (const name of ["content-type", "x-custom", "chaya-attempt", "fn-call-id", "fn-invoke-type"])
        headers.push(request.headers[name] as string | undefined);
      response.end("thrown away");
    };
    const given = { ...detached, "Content-Type": "text/plain", "X-Custom": "1" };
    const answer = await rig.invoke(fn, "do it", given);
    expect(answer).toMatchObject({ status: 202, body: "" });
    expect(answer.headers).toMatchObject({ "content-length": "0" });
    const id = answer.headers["fn-call-id"] as string;
    const record = await rig.observed((call) => call.status === "succeeded");
    expect(record).toMatchObject({ id, source: "detached", attempt: 1, httpStatus: undefined, requestBytes: 5 });
    expect(rig.calls[0]).toMatchObject({ id, status: "queued", requestBytes: 5 });
    expect(bodies).toEqual(["do it"]);
    expect(headers).toEqual(["text/plain", "1", "1", id, "detached"]);
  });

  it.each([0, 4096, 4097, 300_000])("bring a body of %d bytes unchanged", async (bytes) => {
    const { rig, fn } = await open();
    let received = "";
    rig.script.answer = async ({ response, body }) => {
      received = (await body()).toString();
      response.end();
    };
    const sent = "x".repeat(bytes);
    expect((await rig.invoke(fn, sent, detached)).status).toBe(202);
    await rig.observed((call) => call.status === "succeeded");
    expect(received === sent).toBe(true);
    // A body of its own is removed once the call is settled.
    const nowMs = rig.clock.nowMs() + 3_600_000;
    await rig.until(async () => {
      await rig.clock.advance(5_000);
      return (await rig.payloads.list({ writtenBeforeMs: nowMs, countMax: 10 })).length === 0;
    });
  });

  it("take at most their body's limit, announced or not", async () => {
    const { rig, fn } = await open();
    const tooLarge = "x".repeat(limits.detachedBodyBytesMax + 1);
    expect((await rig.invoke(fn, tooLarge, detached)).status).toBe(413);
    const chunked = await rig.invoke(fn, tooLarge, { ...detached, "Transfer-Encoding": "chunked" });
    expect(chunked.status).toBe(413);
    expect(JSON.parse(chunked.body).message).toBe("Request content too large");
    expect(await workLeft(rig, fn.id)).toBe(0);
  });

  it("that were acknowledged but had not begun run after a restart, under the same id", async () => {
    const clock = new ManualClock();
    const opened = await store.open(clock);
    stores.push(opened);
    const first = await open({ clock, opened, isIdle: true });
    const { rig, fn } = first;
    const answer = await rig.invoke(fn, "survive", detached);
    expect(answer.status).toBe(202);
    rigs.splice(rigs.indexOf(rig), 1);
    await rig[Symbol.asyncDispose]();
    const attempts: unknown[] = [];
    const second = await open({
      ...{ clock, opened },
      answer: async ({ request, response, body }) => {
        attempts.push([request.headers["fn-call-id"], request.headers["chaya-attempt"], (await body()).toString()]);
        response.end();
      },
    });
    await second.rig.observed((call) => call.status === "succeeded");
    expect(attempts).toEqual([[answer.headers["fn-call-id"], "1", "survive"]]);
  });

  it("that a stop interrupts lose no attempt and run again under the same id with the next number", async () => {
    const clock = new ManualClock();
    const opened = await store.open(clock);
    stores.push(opened);
    const { rig } = await open({ clock, opened, answer: () => {} });
    const fn = rig.addFunction("patient", { settings: { retries: 0 } });
    const id = (await rig.invoke(fn, "again", detached)).headers["fn-call-id"];
    await rig.until(() => [...rig.runtime.instances].some((instance) => instance.calls === 1));
    rigs.splice(rigs.indexOf(rig), 1);
    await rig[Symbol.asyncDispose]();
    expect(rig.calls.some((call) => call.status === "failed")).toBe(false);
    const attempts: unknown[] = [];
    const answer: RigOptions["answer"] = async ({ request, response, body }) => {
      attempts.push([request.headers["fn-call-id"], request.headers["chaya-attempt"], (await body()).toString()]);
      response.end();
    };
    const second = await open({ clock, opened, answer, isIdle: true });
    expect(second.rig.addFunction("patient").id).toBe(fn.id);
    await second.rig.work.start();
    await passUntil(second.rig, () => second.rig.calls.some((call) => call.status === "succeeded"));
    expect(attempts).toEqual([[id, "2", "again"]]);
  });

  it("are repeated after failures of the function as often as it says, then become dead letters", async () => {
    const { rig, fn } = await open({ settings: { retries: 2 } });
    const attempts: unknown[] = [];
    rig.script.answer = async ({ request, response, body }) => {
      attempts.push([request.headers["fn-call-id"], request.headers["chaya-attempt"], (await body()).toString()]);
      response.writeHead(502).end();
    };
    const id = (await rig.invoke(fn, "again", detached)).headers["fn-call-id"];
    await passUntil(rig, () => attempts.length === 3);
    await rig.until(async () => (await rig.work.deadLetters.get(String(id))) !== undefined);
    expect(attempts).toEqual([1, 2, 3].map((attempt) => [id, String(attempt), "again"]));
    const dead = await rig.work.deadLetters.get(String(id));
    expect(dead).toMatchObject({ kind: "call", lane: fn.id, problem: { code: "function-failed" } });
    expect(rig.calls.filter((call) => call.status === "failed").map((call) => call.attempt)).toEqual([1, 2, 3]);
    rig.script.answer = ({ response }) => void response.end();
    expect(await rig.work.deadLetters.redrive(String(id))).toBe(true);
    await passUntil(rig, () => rig.calls.some((call) => call.status === "succeeded" && call.id === id));
  });

  it("are not repeated unless asked", async () => {
    const { rig, fn } = await open({ answer: ({ instance }) => instance.exit({ code: 1 }) });
    const id = String((await rig.invoke(fn, "", detached)).headers["fn-call-id"]);
    await rig.until(async () => (await rig.work.deadLetters.get(id)) !== undefined);
    expect(rig.runtime.specs).toHaveLength(1);
  });

  it("wait without losing an attempt while the platform cannot start their function", async () => {
    const { rig, fn } = await open({ start: async () => Promise.reject(new Error("no more processes")) });
    const id = (await rig.invoke(fn, "patience", detached)).headers["fn-call-id"];
    await rig.observed((call) => call.status === "queued" && call.problem !== undefined);
    delete rig.script.start;
    await passUntil(rig, () => rig.calls.some((call) => call.status === "succeeded" && call.id === id));
    expect(rig.calls.some((call) => call.status === "failed" || call.status === "refused")).toBe(false);
  });

  it("may run longer than others when their function says so", async () => {
    const { rig, fn } = await open({ answer: () => {}, settings: { "detached-timeout": 60 } });
    await rig.invoke(fn, "", detached);
    await rig.until(() => [...rig.runtime.instances].some((instance) => instance.calls === 1));
    await rig.clock.advance(31_000);
    expect(rig.calls.some((call) => call.status === "timed-out")).toBe(false);
    await rig.clock.advance(30_000);
    const record = await rig.observed((call) => call.status === "timed-out");
    expect(record.problem?.sentence).toContain("60 s (set by annotation chaya/detached-timeout of function 'worker')");
  });

  it("die with their function, and say so", async () => {
    const { rig, fn } = await open({ isIdle: true });
    const id = String((await rig.invoke(fn, "orphan", detached)).headers["fn-call-id"]);
    rig.directory.removeFunction(fn.id);
    await rig.work.start();
    const record = await rig.observed((call) => call.status === "refused");
    expect(record).toMatchObject({ id, functionName: "worker", problem: { code: "function-not-found" } });
    await rig.until(async () => (await rig.work.deadLetters.get(id)) !== undefined);
  });

  it("are accepted for other parts of the platform with their own source, cause and headers", async () => {
    const { rig, fn } = await open();
    let headers: Record<string, unknown> = {};
    rig.script.answer = ({ request, response }) => {
      headers = request.headers;
      response.end();
    };
    const accepted = await rig.invocation.invokeDetached({
      functionId: fn.id,
      contentType: "application/cloudevents+json",
      headers: ["X-Event", "1", "X-Bad", "a\r\nX-Injected: 1", "Fn-Call-Id", "spoof"],
      body: Buffer.from("{}"),
      source: "rule",
      causeId: "01CAUSE0000000000000000000",
      traceId: undefined,
      chainDepth: 3,
      idempotencyKey: undefined,
    });
    const record = await rig.observed((call) => call.status === "succeeded");
    expect(record).toMatchObject({ id: accepted.callId, source: "rule", causeId: "01CAUSE0000000000000000000" });
    expect(headers).toMatchObject({ "x-event": "1", "fn-call-id": accepted.callId });
    expect(headers["content-type"]).toBe("application/cloudevents+json");
    expect(headers["x-injected"]).toBeUndefined();
    expect(headers["x-bad"]).toBeUndefined();
    expect(String(headers["chaya-chain"])).toMatch(/^3\./);
  });

  describe("with an Idempotency-Key", () => {
    const key = (value: string) => ({ ...detached, "Idempotency-Key": value });

    it("answer a repetition with the first call and run once, however many come at once", async () => {
      const { rig, fn } = await open();
      let runs = 0;
      rig.script.answer = ({ response }) => {
        runs++;
        response.end();
      };
      const answers = await Promise.all(Array.from({ length: 20 }, () => rig.invoke(fn, "once", key("k"))));
      expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([202]));
      expect(new Set(answers.map((answer) => answer.headers["fn-call-id"])).size).toBe(1);
      await rig.observed((call) => call.status === "succeeded");
      await rig.until(async () => (await workLeft(rig, fn.id)) === 0);
      expect(runs).toBe(1);
      expect(rig.calls.filter((call) => call.status === "queued")).toHaveLength(1);
    });

    it("refuse another body, and forget the key after 24 h", async () => {
      const { rig, fn } = await open({ isIdle: true });
      const first = await rig.invoke(fn, "one", key("k"));
      const other = await rig.invoke(fn, "two", key("k"));
      expect(other.status).toBe(409);
      expect(JSON.parse(other.body).code).toBe("idempotency-key-reused");
      expect((await rig.invoke(fn, "one", key("k"))).headers["fn-call-id"]).toBe(first.headers["fn-call-id"]);
      rig.clock.jump(limits.idempotencyKeyAgeMsMax + 1);
      const later = await rig.invoke(fn, "two", key("k"));
      expect(later.status).toBe(202);
      expect(later.headers["fn-call-id"]).not.toBe(first.headers["fn-call-id"]);
    });

    it("keep keys of different functions apart, and drop the body of a repetition", async () => {
      const { rig, fn } = await open({ isIdle: true });
      const other = rig.addFunction("other");
      const body = "x".repeat(10_000);
      const ids = [
        (await rig.invoke(fn, body, key("k"))).headers["fn-call-id"],
        (await rig.invoke(other, body, key("k"))).headers["fn-call-id"],
        (await rig.invoke(fn, body, key("k"))).headers["fn-call-id"],
      ];
      expect(ids[0]).not.toBe(ids[1]);
      expect(ids[2]).toBe(ids[0]);
      const writtenBeforeMs = rig.clock.nowMs() + 1;
      expect(await rig.payloads.list({ writtenBeforeMs, countMax: 10 })).toHaveLength(2);
    });

    it.each(["", "with space", "x".repeat(256), "ünï"])("refuse the key '%s'", async (value) => {
      const { rig, fn } = await open({ isIdle: true });
      const answer = await rig.invoke(fn, "", {
        ...detached,
        "Idempotency-Key": Buffer.from(value).toString("latin1"),
      });
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.body).code).toBe("idempotency-key-invalid");
    });
  });
});

/** Rows, not `work.count`: that may be a moment old, and here the clock stands still. */
async function workLeft(rig: InvocationRig, functionId: string): Promise<number> {
  const rows = await rig.store.store.db.selectFrom("work").select("id").where("lane", "=", functionId).execute();
  return rows.length;
}
