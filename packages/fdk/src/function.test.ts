import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type Context, currentContext, type Handler, reply } from "./index.ts";
import { callHandler, startFunction } from "./testing.ts";

type Call = (
  handler: Handler<never>,
  input?: unknown,
  options?: Parameters<typeof callHandler>[2],
) => ReturnType<typeof callHandler>;

const overSocket: Call = async (handler, input, options = {}) => {
  // The tests below pair each handler with the input mode it is written for.
  await using started = await startFunction(handler as Handler<unknown>, options);
  return await started.call(input, options);
};

describe.each([
  ["called directly", callHandler as Call],
  ["over a socket", overSocket],
])("a handler %s", (_name, call) => {
  it("receives JSON and answers JSON", async () => {
    const result = await call((input: { n: number }) => ({ twice: input.n * 2 }), { n: 21 });
    expect(result.json()).toEqual({ twice: 42 });
    expect(result.headers.get("content-type")).toBe("application/json");
  });

  it.each([
    ["nothing", undefined, {}, "undefined"],
    ["JSON without a content type", '{"a":1}', {}, '{"a":1}'],
    ["text that is not JSON", "plain words", { "Content-Type": "text/plain" }, '"plain words"'],
    ["a prototype key, harmlessly", '{"__proto__":{"polluted":true}}', {}, '{"__proto__":{"polluted":true}}'],
  ])("receives %s", async (_case, body, headers, seen) => {
    const result = await call(
      (input) => reply({ headers: { "content-type": "text/plain" }, body: JSON.stringify(input) ?? "undefined" }),
      body,
      {
        headers,
      },
    );
    expect(result.text()).toBe(seen);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });

  it("receives text, bytes or the stream when it asks for them", async () => {
    const text = await call((input: string) => input.length, "äö", { input: "text" });
    expect(text.json()).toBe(2);
    const bytes = await call((input: Buffer) => input.length, Buffer.from("äö"), { input: "buffer" });
    expect(bytes.json()).toBe(4);
    const count = async (input: Readable) => {
      let length = 0;
      for await (const chunk of input) length += chunk.length;
      return length;
    };
    expect((await call(count, Readable.from([Buffer.alloc(70_000)]), { input: "stream" })).json()).toBe(70_000);
  });

  it.each<[string, () => unknown, string, string]>([
    ["text as JSON", () => "hi", '"hi"', "application/json"],
    ["null", () => null, "null", "application/json"],
    ["bytes", () => new Uint8Array([104, 105]), "hi", "application/octet-stream"],
    ["a Blob with its type", () => new Blob(["hi"], { type: "text/css" }), "hi", "text/css"],
    ["a Readable", () => Readable.from([Buffer.from("h"), Buffer.from("i")]), "hi", "application/octet-stream"],
    ["a web stream", () => new Blob(["hi"]).stream(), "hi", "application/octet-stream"],
    ["a Response", () => new Response("<p>", { headers: { "content-type": "text/html" } }), "<p>", "text/html"],
    [
      "a generator of text",
      async function* () {
        yield "h";
        yield "i";
      },
      "hi",
      "text/plain; charset=utf-8",
    ],
  ])("answers %s", async (_case, handler, body, type) => {
    const result = await call(handler);
    expect(result.text()).toBe(body);
    expect(result.headers.get("content-type")).toBe(type);
  });

  it("answers nothing when it returns nothing", async () => {
    const result = await call(() => undefined);
    expect(result.body.length).toBe(0);
    expect(result.headers.has("content-type")).toBe(false);
  });

  it("sets status and headers for HTTP callers, by reply, Response or context", async () => {
    const http = { method: "GET", url: "http://localhost:8080/t/demo/x?a=1" };
    const byReply = await call(
      () => reply({ status: 201, headers: { Location: "/x", "set-cookie": ["a=1", "b=2"] }, body: "made" }),
      undefined,
      { http },
    );
    expect([byReply.status, byReply.headers.get("location"), byReply.json()]).toEqual([201, "/x", "made"]);
    expect(byReply.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    const byResponse = await call(() => Response.redirect("http://localhost/elsewhere", 302), undefined, { http });
    expect([byResponse.status, byResponse.headers.get("location")]).toEqual([302, "http://localhost/elsewhere"]);
    const byContext = await call(
      async function* (_input, context: Context) {
        context.response.status = 404;
        context.response.headers.set("content-type", "text/event-stream");
        yield "data: x\n\n";
      },
      undefined,
      { http },
    );
    expect([byContext.status, byContext.headers.get("content-type")]).toEqual([404, "text/event-stream"]);
  });

  it("cannot set headers that belong to the connection or to the contract", async () => {
    const headers = {
      connection: "close",
      "content-length": "1",
      "transfer-encoding": "chunked",
      "fn-call-id": "forged",
      "x-mine": "1",
    };
    for (const options of [{}, { http: {} }]) {
      const result = await call(() => reply({ headers, body: "whole" }), undefined, options);
      expect(result.json()).toBe("whole");
      expect(result.headers.get("x-mine")).toBe("1");
      expect(result.headers.get("fn-call-id")).toBeNull();
      expect(result.headers.get("content-length")).not.toBe("1");
    }
  });

  it("sees the HTTP request behind a trigger, and none behind a direct call", async () => {
    const seen = (_input: unknown, context: Context) => ({
      method: context.method,
      url: context.url?.href,
      tag: context.headers.get("x-tag"),
      type: context.headers.get("content-type"),
      call: context.callHeaders.get("fn-call-id"),
    });
    const http = { method: "PATCH", url: "/t/demo/x?q=%C3%A4", headers: { "X-Tag": "t", "Content-Type": "text/x" } };
    expect((await call(seen, "b", { http, callId: "01C" })).json()).toEqual({
      method: "PATCH",
      url: "http://localhost/t/demo/x?q=%C3%A4",
      tag: "t",
      type: "text/x",
      call: "01C",
    });
    const direct = await call(seen, "b", { headers: { "X-Tag": "direct", "Content-Type": "text/y" }, callId: "01C" });
    expect(direct.json()).toEqual({ tag: "direct", type: "text/y", call: "01C" });
  });

  it("knows its call, limits, names and configuration", async () => {
    const result = await call(
      (_input, context: Context) => ({
        id: context.callId,
        attempt: context.attempt,
        memory: context.memoryMiB,
        application: context.application.name,
        place: context.config.PLACE,
        remains: context.remainingMs > 0 && context.remainingMs <= 5000,
        isSame: context.deadline.getTime() > Date.now() && currentContext() === context,
      }),
      undefined,
      { callId: "01X", attempt: 3, timeoutMs: 5000, config: { PLACE: "here" } },
    );
    expect(result.json()).toEqual({
      id: "01X",
      attempt: 3,
      memory: 128,
      application: "test",
      place: "here",
      remains: true,
      isSame: true,
    });
  });

  it("passes the platform's call chain on, never one that an HTTP client made up", async () => {
    const outgoing = (_input: unknown, context: Context) => context.outgoing;
    const headers = { "Chaya-Chain": "01A.1", traceparent: "00-ab-cd-01" };
    expect((await call(outgoing, undefined, { headers })).json()).toEqual({
      "Chaya-Chain": "01A.1",
      traceparent: "00-ab-cd-01",
    });
    expect((await call(outgoing, undefined, { http: { headers: { "Chaya-Chain": "forged" } } })).json()).toEqual({});
  });

  it("answers 400 to HTTP callers whose body is not the JSON it claims to be, and 413 to too large ones", async () => {
    const http = { headers: { "Content-Type": "application/json; charset=utf-8" } };
    const broken = await call(() => "unreached", "{", { http });
    expect([broken.status, broken.text()]).toEqual([400, expect.stringContaining("not JSON")]);
    const large = await call(() => "unreached", "x".repeat(11), { http: {}, inputBytesMax: 10 });
    expect(large.status).toBe(413);
  });
});

describe("a function behind its socket", () => {
  it("answers 502 for what a handler must not return", async () => {
    const wrong: (() => unknown)[] = [
      () => reply({ status: 99 }),
      () => () => "a function",
      () => Symbol("x"),
      async function* () {
        yield { not: "bytes" };
      },
      () => reply({ headers: { "bad name": "x" } }),
      () => Promise.reject(new Error("later")),
    ];
    for (const handler of wrong) {
      await using started = await startFunction(handler);
      expect((await started.call()).status).toBe(502);
    }
  });

  it("answers 504 when the handler gives up at its deadline", async () => {
    const givingUp: readonly ((input: unknown, context: Context) => Promise<void>)[] = [
      async (_input, { signal }) => sleep(60_000, undefined, { signal }),
      async (_input, { signal }) => sleep(60_000, undefined, { signal }).catch(() => signal.throwIfAborted()),
    ];
    for (const handler of givingUp) {
      await using started = await startFunction(handler);
      expect((await started.call(undefined, { timeoutMs: 30 })).status).toBe(504);
    }
  });

  it("aborts the handler's signal when the caller goes away, and serves the next", async () => {
    const gone = Promise.withResolvers<unknown>();
    await using started = await startFunction(async (input, context) => {
      if (input === "next") return "served";
      context.signal.addEventListener("abort", () => gone.resolve(context.signal.reason));
      caller.abort();
      await once(context.signal, "abort");
    });
    const caller = new AbortController();
    await expect(started.call(undefined, { signal: caller.signal })).rejects.toThrow();
    expect(await gone.promise).toMatchObject({ name: "AbortError" });
    expect((await started.call("next")).json()).toBe("served");
  });

  it("sends each chunk as soon as it is there", async () => {
    const received = Promise.withResolvers<void>();
    await using started = await startFunction(async function* () {
      yield "first";
      // The second chunk waits for the receipt of the first: buffering would never end.
      await received.promise;
      yield "second";
    });
    const request = httpRequest({ socketPath: started.socketPath, method: "POST", path: "/call" }).end();
    const [response] = await once(request, "response");
    const chunks: string[] = [];
    for await (const chunk of response) {
      chunks.push(String(chunk));
      received.resolve();
    }
    expect(chunks).toEqual(["first", "second"]);
  });

  it("stops a generator whose caller went away", async () => {
    const stopped = Promise.withResolvers<void>();
    await using started = await startFunction(async function* () {
      try {
        for (;;) yield Buffer.alloc(64 * 1024);
      } finally {
        stopped.resolve();
      }
    });
    const request = httpRequest({ socketPath: started.socketPath, method: "POST", path: "/call" }).end();
    const [response] = await once(request, "response");
    response.destroy();
    await stopped.promise;
  });

  it("does not make half an answer look whole", async () => {
    await using started = await startFunction(async function* () {
      yield "half";
      throw new Error("in the middle");
    });
    await expect(started.call()).rejects.toThrow(/aborted|socket hang up/);
  });

  it("serves the next call on the same connection when a streamed body was left unread", async () => {
    await using started = await startFunction(() => "ignored", { input: "stream" });
    const socket = connect(started.socketPath);
    const body = "x".repeat(300_000);
    for (let round = 0; round < 2; round++) {
      socket.write(`POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      const [answer] = await once(socket, "data");
      expect(String(answer)).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*"ignored"$/);
    }
    socket.destroy();
  });

  it("keeps the contexts of overlapping calls apart", async () => {
    const all = Promise.withResolvers<void>();
    let entered = 0;
    await using started = await startFunction(async () => {
      entered += 1;
      if (entered === 20) all.resolve();
      await all.promise;
      return currentContext()?.callId;
    });
    const ids = Array.from({ length: 20 }, (_value, index) => `01CALL${index}`);
    const results = await Promise.all(ids.map((callId) => started.call(undefined, { callId })));
    expect(results.map((result) => result.json())).toEqual(ids);
    expect(currentContext()).toBeUndefined();
  });
});

describe("the logger", () => {
  it("writes one line per event, whatever the message and fields are", async () => {
    const lines: [string, string][] = [];
    const circular: Record<string, unknown> = { n: 1n };
    circular.self = circular;
    const cause = new Error("disk");
    await callHandler(
      (_input, context) => {
        context.logger.info("two\nlines", { circular });
        context.logger.error("write failed", { error: new Error("save", { cause }) });
        context.logger.warn("plain");
      },
      undefined,
      { log: (level, line) => lines.push([level, line]) },
    );
    expect(lines[0]).toEqual(["info", 'INFO  two\\nlines {"circular":{"n":"1","self":"[circular]"}}']);
    expect(lines[1]?.[1]).toMatch(
      /^ERROR write failed \{"error":\{"stack":"Error: save\\n.*"cause":\{"stack":"Error: disk/,
    );
    expect(lines[2]).toEqual(["warn", "WARN  plain"]);
    expect(lines.every(([, line]) => !line.includes("\n"))).toBe(true);
  });
});

describe("the package", () => {
  it("tells the version that its package.json has, and has no dependencies", async () => {
    const json = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));
    await using started = await startFunction(() => "x");
    expect((await started.call()).headers.get("fn-fdk-version")).toContain(`chaya-fdk/${json.version} `);
    expect(json.dependencies).toBeUndefined();
  });
});
