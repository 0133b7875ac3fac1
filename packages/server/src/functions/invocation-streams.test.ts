import { createHash } from "node:crypto";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { InvocationRig, nodeLimits, openStore, type RigOptions, turn } from "../testing/invocation-rig.ts";
import type { OpenTestStore } from "../testing/stores.ts";
import type { FunctionRecord } from "./model.ts";

const mebi = 1024 * 1024;
const rigs: InvocationRig[] = [];
let opened: OpenTestStore;
beforeAll(async () => {
  opened = await openStore();
});
afterAll(() => opened[Symbol.asyncDispose]());
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig[Symbol.asyncDispose]();
});

async function open(options: RigOptions = {}): Promise<{ rig: InvocationRig; fn: FunctionRecord }> {
  const rig = await InvocationRig.open({ opened, ...options });
  rigs.push(rig);
  return { rig, fn: rig.addFunction("streamer") };
}

/** A request whose body and answer the test streams by hand. */
function begin(rig: InvocationRig, fn: FunctionRecord, headers: Record<string, string> = {}) {
  const path = `/invoke/${fn.id}`;
  const sent = httpRequest({ port: rig.port, host: "127.0.0.1", method: "POST", path, headers, agent: false });
  const answered = new Promise<IncomingMessage>((resolve, reject) => sent.on("response", resolve).on("error", reject));
  answered.catch(() => {});
  return { sent, answered };
}

async function settled(): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await turn();
}

describe("an answer that streams", () => {
  it("reaches the client event by event, before the function writes the next", async () => {
    const { rig, fn } = await open();
    let next = () => {};
    rig.script.answer = async ({ response }) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      for (let event = 0; event < 20; event++) {
        const received = new Promise<void>((resolve) => {
          next = resolve;
        });
        response.write(`data: ${event}\n\n`);
        await received;
      }
      response.end();
    };
    const { sent, answered } = begin(rig, fn);
    sent.end();
    const events: string[] = [];
    for await (const event of await answered) {
      events.push(String(event));
      next();
    }
    expect(events).toEqual(Array.from({ length: 20 }, (_, event) => `data: ${event}\n\n`));
  });

  it("sends its head before there is a body", async () => {
    const { rig, fn } = await open({
      answer: ({ response }) => response.writeHead(200, { "X-A": "b" }).flushHeaders(),
    });
    const { sent, answered } = begin(rig, fn);
    sent.end();
    expect((await answered).headers["x-a"]).toBe("b");
    sent.destroy();
    await rig.observed((call) => call.status === "cancelled");
  });

  it("waits for a slow reader instead of filling memory, and its connection serves the next call", async () => {
    const { rig, fn } = await open();
    const part = Buffer.alloc(256 * 1024, "x");
    let written = 0;
    rig.script.answer = async ({ response }) => {
      for (written = 0; written < 100 * mebi; written += part.length)
        if (!response.write(part)) await new Promise((resolve) => response.once("drain", resolve));
      response.end();
    };
    const { sent, answered } = begin(rig, fn);
    sent.end();
    const answer = await answered;
    answer.pause();
    await rig.until(() => written > 0);
    await settled();
    // The sockets' own buffers and one read: nothing else may hold what the reader does not take.
    expect(written).toBeLessThan(16 * mebi);
    let received = 0;
    for await (const bytes of answer) received += bytes.length;
    expect(received).toBe(100 * mebi);
    rig.script.answer = ({ response }) => void response.end("next");
    expect((await rig.invoke(fn)).body).toBe("next");
    expect([...rig.runtime.instances].map((instance) => instance.connections)).toEqual([1]);
  });
});

describe("a request that streams", () => {
  it("waits for a function that does not read", async () => {
    const { rig, fn } = await open();
    let read = () => {};
    rig.script.answer = async ({ response, body }) => {
      await new Promise<void>((resolve) => {
        read = resolve;
      });
      response.end(String((await body()).length));
    };
    const { sent, answered } = begin(rig, fn);
    const part = Buffer.alloc(256 * 1024, "x");
    let accepted = 0;
    while (accepted < 100 * mebi) {
      if (!sent.write(part) && !(await drainedSoon(sent))) break;
      accepted += part.length;
    }
    expect(accepted).toBeLessThan(16 * mebi);
    read();
    sent.end();
    let body = "";
    for await (const bytes of await answered) body += bytes;
    expect(Number(body)).toBeGreaterThanOrEqual(accepted);
  });

  it("comes through whole in both directions at once", async () => {
    const { rig, fn } = await open({ answer: ({ request, response }) => void request.pipe(response) });
    const { sent, answered } = begin(rig, fn);
    const up = createHash("sha256");
    const down = createHash("sha256");
    const receiving = (async () => {
      for await (const bytes of await answered) down.update(bytes);
    })();
    for (let part = 0; part < 100; part++) {
      const bytes = Buffer.alloc(mebi, part);
      up.update(bytes);
      if (!sent.write(bytes)) await new Promise((resolve) => sent.once("drain", resolve));
    }
    sent.end();
    await receiving;
    expect(down.digest("hex")).toBe(up.digest("hex"));
    const record = await rig.observed((call) => call.status === "succeeded");
    expect(record).toMatchObject({ requestBytes: 100 * mebi, responseBytes: 100 * mebi });
  });

  it("may be answered before it is whole; the instance then gets a new connection", async () => {
    const { rig, fn } = await open({ answer: ({ response }) => void response.end("enough") });
    const { sent, answered } = begin(rig, fn);
    sent.write("first part");
    let body = "";
    for await (const bytes of await answered) body += bytes;
    expect(body).toBe("enough");
    sent.end();
    expect((await rig.invoke(fn)).body).toBe("enough");
    expect([...rig.runtime.instances].map((instance) => instance.connections)).toEqual([2]);
  });

  it("is cut beyond its limit with 413", async () => {
    const deps = { limits: { ...nodeLimits, requestBodyBytesMax: 1000 } };
    const { rig, fn } = await open({ deps });
    const { sent, answered } = begin(rig, fn);
    sent.write("x".repeat(600));
    await rig.until(() => rig.runtime.specs.length === 1);
    sent.write("x".repeat(600));
    const answer = await answered;
    expect(answer.statusCode).toBe(413);
    answer.resume();
    expect(await rig.observed((call) => call.status === "refused")).toMatchObject({
      problem: { code: "body-too-large" },
    });
    sent.destroy();
    await rig.until(() => rig.runtime.instances.size === 0);
  });
});

describe("an answer beyond its limit", () => {
  it("is a 502 when it is known before the head is sent, else it is cut", async () => {
    const deps = { limits: { ...nodeLimits, responseBodyBytesMax: 1000 } };
    const { rig, fn } = await open({ deps, answer: ({ response }) => void response.end("x".repeat(1001)) });
    expect(JSON.parse((await rig.invoke(fn)).body)).toMatchObject({
      message: "function response body too large",
      code: "function-response-too-large",
    });
    rig.script.answer = async ({ response }) => {
      response.write("x".repeat(900));
      await settled();
      response.write("x".repeat(900));
    };
    const { sent, answered } = begin(rig, fn);
    sent.end();
    await expect(drained(await answered)).rejects.toThrow("aborted");
    expect(rig.runtime.instances.size).toBe(0);
  });

  it("may be exactly as large as the limit", async () => {
    const deps = { limits: { ...nodeLimits, responseBodyBytesMax: 1000 } };
    const { rig, fn } = await open({ deps, answer: ({ response }) => void response.end("x".repeat(1000)) });
    expect((await rig.invoke(fn)).body).toHaveLength(1000);
  });
});

describe("an answer that breaks off", () => {
  it.each([
    ["the function crashes", (call: { instance: { exit(end: object): void } }) => call.instance.exit({ code: 1 })],
    ["garbage follows", (call: { socket: { write(text: string): void } }) => call.socket.write("zz\r\n")],
  ])("never ends cleanly when %s", async (_name, breakOff) => {
    const { rig, fn } = await open();
    rig.script.answer = async (call) => {
      call.response.write("half of it");
      await settled();
      breakOff(call);
    };
    const { sent, answered } = begin(rig, fn);
    sent.end();
    await expect(drained(await answered)).rejects.toThrow("aborted");
    expect((await rig.observed((call) => call.status === "failed")).httpStatus).toBe(200);
    expect(rig.runtime.instances.size).toBe(0);
  });

  it("is cut at its deadline", async () => {
    const { rig, fn } = await open({ answer: ({ response }) => void response.write("half of it") });
    const { sent, answered } = begin(rig, fn);
    sent.end();
    const answer = await answered;
    await rig.clock.advance(30_100);
    await expect(drained(answer)).rejects.toThrow("aborted");
    expect((await rig.observed((call) => call.status === "timed-out")).problem?.code).toBe("function-timed-out");
  });
});

describe("a client that goes away", () => {
  it.each(["before the answer", "in the middle of the answer"])("%s takes its instance with it", async (when) => {
    const { rig, fn } = await open();
    rig.script.answer = ({ response }) => void (when === "before the answer" || response.write("half"));
    const { sent, answered } = begin(rig, fn);
    sent.end();
    await rig.until(() => [...rig.runtime.instances].some((instance) => instance.calls > 0));
    if (when !== "before the answer") await answered;
    sent.destroy();
    const record = await rig.observed((call) => call.status === "cancelled");
    expect(record.problem?.code).toBe("client-gone");
    expect(rig.runtime.instances.size).toBe(0);
    rig.script.answer = ({ response }) => void response.end("next");
    expect((await rig.invoke(fn)).body).toBe("next");
  });

  it("in the middle of its request cancels the call", async () => {
    const { rig, fn } = await open();
    const { sent } = begin(rig, fn);
    sent.write("half");
    await rig.until(() => [...rig.runtime.instances].some((instance) => instance.calls > 0));
    sent.destroy();
    await rig.observed((call) => call.status === "cancelled");
    expect(rig.runtime.instances.size).toBe(0);
  });

  it("while it waits never reaches the function", async () => {
    const { rig } = await open({ answer: () => {} });
    const fn = rig.addFunction("narrow", { settings: { "max-instances": 1 } });
    const first = begin(rig, fn);
    first.sent.end();
    await rig.until(() => [...rig.runtime.instances].some((instance) => instance.calls > 0));
    const second = begin(rig, fn);
    second.sent.end();
    await rig.until(() => rig.invocation.readGauges().some((gauges) => gauges.waiting === 1));
    second.sent.destroy();
    expect((await rig.observed((call) => call.status === "cancelled")).startedAtMs).toBeUndefined();
    expect([...rig.runtime.instances].map((instance) => instance.calls)).toEqual([1]);
    first.sent.destroy();
    await rig.until(() => rig.runtime.instances.size === 0);
  });
});

async function drained(answer: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const part of answer) bytes += part.length;
  return bytes;
}

/** false: for a tenth of a second nothing drained. */
function drainedSoon(sent: ClientRequest): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), 100);
    sent.once("drain", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
