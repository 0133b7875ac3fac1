import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { InvocationRig, openStore, type RigOptions, turn } from "../testing/invocation-rig.ts";
import type { ScriptedCall } from "../testing/scripted-runtime.ts";
import type { OpenTestStore } from "../testing/stores.ts";
import { CallChains } from "./call/call-chain.ts";
import type { FunctionRecord } from "./model.ts";

const rigs: InvocationRig[] = [];
let opened: OpenTestStore;
// Nothing here writes to the store, so all rigs share one.
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
  const fn = rig.addFunction("greeter");
  rig.directory.addTrigger(fn, "/");
  rig.directory.addTrigger(fn, "/a/b");
  return { rig, fn };
}

/** Answers with what it received. */
const dump = async ({ request, response, body }: ScriptedCall) => {
  const { method, url, rawHeaders } = request;
  response.end(JSON.stringify({ method, url, rawHeaders, body: (await body()).toString() }));
};

/** Answers as the JSON of the request says. */
const told = async ({ response, body }: ScriptedCall) => {
  const { status = 200, headers = {}, text = "" } = JSON.parse((await body()).toString() || "{}");
  response.writeHead(status, headers).end(text);
};

function tell(answer: { status?: number; headers?: Record<string, string | string[]>; text?: string }): string {
  return JSON.stringify(answer);
}

/** Names and values of flat headers whose names contain `part`. */
function named(rawHeaders: readonly string[], part: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (name.toLowerCase().includes(part)) found[name] = rawHeaders[index + 1] ?? "";
  }
  return found;
}

describe("a direct invoke", () => {
  it("answers with what the function answered, its length and the call id", async () => {
    const { rig, fn } = await open();
    const answer = await rig.invoke(fn, "you");
    expect(answer).toMatchObject({ status: 200, body: "hello you" });
    expect(answer.headers).toMatchObject({ "content-length": "9", "x-content-type-options": "nosniff" });
    expect(answer.headers["fn-call-id"]).toMatch(/^[0-9A-Z]{26}$/);
  });

  it("asks the function as the contract says, and passes only what a client may say", async () => {
    const { rig, fn } = await open({ answer: dump });
    const answer = await rig.invoke(fn, "hello", {
      "Content-Type": "text/plain",
      "X-Custom": "1",
      Authorization: "Bearer x",
      Connection: "close, X-Hop",
      "X-Hop": "hop",
      TE: "trailers",
      "Proxy-Connection": "close",
      "Fn-Intent": "abc",
      "Fn-Deadline": "spoof",
      "Fn-Call-Id": "spoof",
      "Fn-Http-Method": "SPOOF",
      "Chaya-Attempt": "9",
      "Chaya-Chain": "9.AAAA",
      "chaya-anything": "x",
      Cookie: "a=b",
    });
    const { method, url, rawHeaders, body } = JSON.parse(answer.body);
    expect({ method, url, body }).toEqual({ method: "POST", url: "/call", body: "hello" });
    const callId = answer.headers["fn-call-id"] as string;
    expect(Object.fromEntries(pairs(rawHeaders))).toEqual({
      Host: "localhost",
      "Transfer-Encoding": "chunked",
      "Fn-Call-Id": callId,
      "Fn-Deadline": "2026-01-01T00:00:30Z",
      "Chaya-Attempt": "1",
      "Chaya-Chain": new CallChains(Buffer.alloc(32, 7)).sign(callId, 0),
      "Content-Type": "text/plain",
      "X-Custom": "1",
      Authorization: "Bearer x",
      TE: "trailers",
      "Fn-Intent": "abc",
      "Fn-Http-Method": "SPOOF",
      Cookie: "a=b",
    });
  });

  it("passes the function's headers verbatim but for framing, hops and the call id", async () => {
    const { rig, fn } = await open({ answer: told });
    const headers = {
      ...{ "Content-Type": "text/x", "X-A": ["1", "2"], "Fn-Http-Status": "418", "Fn-Http-H-X-B": "b" },
      ...{ "Fn-Call-Id": "mine", Connection: "close, X-Hop", "X-Hop": "h", "Keep-Alive": "x", "Set-Cookie": "a=b" },
    };
    const answer = await rig.invoke(fn, tell({ headers, text: "hi" }));
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({ "content-type": "text/x", "x-a": "1, 2", "fn-http-status": "418" });
    expect(answer.headers["fn-http-h-x-b"]).toBe("b");
    expect(answer.rawHeaders.filter((name) => name === "Fn-Call-Id")).toHaveLength(1);
    expect(answer.headers["fn-call-id"]).not.toBe("mine");
    expect(Object.keys(answer.headers)).not.toEqual(expect.arrayContaining(["x-hop"]));
    expect(Object.keys(answer.headers)).not.toEqual(expect.arrayContaining(["set-cookie"]));
  });

  it("does not convey the query and treats another invoke type as synchronous", async () => {
    const { rig, fn } = await open({ answer: dump });
    const answer = await rig.request("POST", `/invoke/${fn.id}?a=b`, { headers: { "Fn-Invoke-Type": "Detached" } });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body).url).toBe("/call");
  });

  it.each([
    ["GET", "known", 405, "Method not allowed: GET /invoke/"],
    ["POST", "nope", 404, "Fn not found"],
  ])("%s of a %s function is %d", async (method, which, status, message) => {
    const { rig, fn } = await open();
    const answer = await rig.request(method, `/invoke/${which === "known" ? fn.id : which}`);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body).message).toContain(message);
    expect(answer.headers["fn-call-id"]).toBeUndefined();
  });

  it("is recorded with the trace that its client named, which the function sees as well", async () => {
    const { rig, fn } = await open({ answer: dump });
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
    const seen = JSON.parse((await rig.invoke(fn, "", { traceparent })).body);
    expect(Object.fromEntries(pairs(seen.rawHeaders))).toMatchObject({ traceparent });
    expect(await rig.observed((call) => call.status === "succeeded")).toMatchObject({ traceId });
  });

  it("is recorded once it has ended", async () => {
    const { rig, fn } = await open({ answer: told });
    const answer = await rig.invoke(fn, tell({ text: "hello" }));
    const record = await rig.observed((call) => call.status === "succeeded");
    expect(record).toMatchObject({
      id: answer.headers["fn-call-id"],
      ...{ applicationName: "app", functionName: "greeter", image: fn.image, source: "direct", attempt: 1 },
      ...{ httpStatus: 200, isColdStart: true, requestBytes: 16, responseBytes: 5, memoryMiB: 128 },
      ...{ problem: undefined, causeId: undefined },
    });
    await rig.invoke(fn, tell({}));
    expect((await rig.observed((call) => !call.isColdStart)).status).toBe("succeeded");
  });

  it("reuses instance and connection, and opens a new connection after a second of idleness", async () => {
    const { rig, fn } = await open();
    const connections: number[] = [];
    rig.script.answer = ({ response, instance }) => {
      connections.push(instance.connections);
      response.end();
    };
    for (const idleMs of [0, 0, 1_500]) {
      await rig.clock.advance(idleMs);
      await rig.invoke(fn);
      await rig.until(() => rig.calls.length === connections.length);
    }
    expect(rig.runtime.specs).toHaveLength(1);
    expect(connections).toEqual([1, 1, 2]);
  });
});

describe("an HTTP trigger", () => {
  it("re-prefixes what the client says and tells method and URL as requested", async () => {
    const { rig } = await open({ answer: dump });
    const answer = await rig.request("POST", "/t/app/a/b?q=1&r=%20x", {
      body: "hello",
      headers: {
        "Content-Type": "text/plain",
        "X-Custom": "1",
        "Fn-Intent": "abc",
        "Fn-Http-H-Sneaky": "s",
        "Fn-Call-Id": "spoof",
        "Chaya-Chain": "spoof",
        Connection: "close, X-Hop",
        "X-Hop": "hop",
        "Fn-Invoke-Type": "detached",
        "Content-Length": "5",
      },
    });
    expect(answer.status).toBe(200);
    const { rawHeaders, method } = JSON.parse(answer.body);
    expect(method).toBe("POST");
    expect(named(rawHeaders, "fn-")).toEqual({
      "Fn-Call-Id": answer.headers["fn-call-id"],
      "Fn-Deadline": "2026-01-01T00:00:30Z",
      "Fn-Intent": "httprequest",
      "Fn-Http-Method": "POST",
      "Fn-Http-Request-Url": `http://127.0.0.1:${rig.port}/t/app/a/b?q=1&r=%20x`,
      "Fn-Http-H-X-Custom": "1",
      "Fn-Http-H-Fn-Intent": "abc",
      "Fn-Http-H-Fn-Http-H-Sneaky": "s",
      "Fn-Http-H-Fn-Invoke-Type": "detached",
      "Fn-Http-H-Content-Length": "5",
    });
    expect(named(rawHeaders, "content-type")).toEqual({ "Content-Type": "text/plain" });
  });

  it("maps status and headers, and nothing that is not the function's to say", async () => {
    const { rig } = await open({ answer: told });
    const headers = {
      ...{ "Content-Type": "text/x", "X-Plain": "dropped", "Fn-Http-Status": "418", "Fn-Http-H-X-B": ["1", "2"] },
      ...{ "Fn-Http-H-": "empty", "Fn-Fdk-Version": "v", "Fn-Http-H-Location": "/x", "Fn-Call-Id": "mine" },
      ...{ "Fn-Http-H-Fn-Call-Id": "spoof", "Fn-Http-H-Connection": "close, X-Gone", "Fn-Http-H-X-Gone": "g" },
      ...{ "Fn-Http-H-Content-Length": "3", "Fn-Http-H-Transfer-Encoding": "gzip" },
    };
    const answer = await rig.request("POST", "/t/app/a/b", { body: tell({ headers, text: "teapot" }) });
    expect(answer).toMatchObject({ status: 418, body: "teapot" });
    expect(answer.headers).toMatchObject({ "content-type": "text/x", "x-b": "1, 2", location: "/x" });
    expect(answer.headers["content-length"]).toBe("6");
    expect(answer.headers["fn-call-id"]).toMatch(/^[0-9A-Z]{26}$/);
    const names = answer.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    for (const gone of ["x-plain", "fn-fdk-version", "transfer-encoding", "x-gone"]) expect(names).not.toContain(gone);
  });

  it.each<[string, { headers?: Record<string, string>; text?: string }, number, string]>([
    ["GET", { text: "x" }, 200, "x"],
    ["PUT", { headers: { "Fn-Http-Status": "201" }, text: "x" }, 201, "x"],
    ["DELETE", { headers: { "Fn-Http-Status": "500" }, text: "user error" }, 500, "user error"],
    ["PATCH", { headers: { "Fn-Http-Status": "302", "Fn-Http-H-Location": "/x" } }, 302, ""],
    ["OPTIONS", { headers: { "Fn-Http-Status": "204" }, text: "zz" }, 204, ""],
    ["POST", { headers: { "Fn-Http-Status": "304" }, text: "zz" }, 304, ""],
    ["POST", { headers: { "Fn-Http-Status": "abc" }, text: "zz" }, 200, "zz"],
  ])("%s answers %j with %d", async (method, answer, status, body) => {
    const { rig } = await open({
      answer: ({ response }) => void response.writeHead(200, answer.headers).end(answer.text),
    });
    expect(await rig.request(method, "/t/app/a/b")).toMatchObject({ status, body });
  });

  it("HEAD gets the head, with the length of what GET would get", async () => {
    const { rig } = await open();
    const answer = await rig.request("HEAD", "/t/app/a/b");
    expect(answer).toMatchObject({ status: 200, body: "" });
    expect(answer.headers["content-length"]).toBe("6");
  });

  it.each(["99", "1000", "199", "600", "0"])("an impossible status %s is a safe 502", async (status) => {
    const { rig } = await open({
      answer: ({ response }) => void response.setHeader("Fn-Http-Status", status).end("x"),
    });
    const answer = await rig.request("GET", "/t/app/a/b");
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({
      ...{ message: "invalid function response", code: "function-response-invalid" },
      callId: answer.headers["fn-call-id"],
    });
  });

  it.each([
    ["GET", "/t/app", 200],
    ["GET", "/t/app/", 200],
    ["GET", "/t/app/a%2Fb", 200],
    ["GET", "/t/%61pp/a/b", 200],
    ["GET", "/t/app/a/b/", 404],
    ["GET", "/t/app/x/../a/b", 404],
    ["GET", "/t/APP/a/b", 404],
    ["GET", "/t/nope/a", 404],
    ["GET", "/t/app/%c0%af", 400],
    ["GET", "/t/app/%zz", 400],
    ["PROPFIND", "/t/app/a/b", 405],
  ])("%s %s is %d", async (method, path, status) => {
    const { rig } = await open();
    expect((await rig.request(method, path)).status).toBe(status);
  });
});

describe("call chains", () => {
  it("carry the caller's id and depth on, and end at the limit", async () => {
    const { rig, fn } = await open();
    const depths: string[] = [];
    rig.script.answer = async ({ request, response }) => {
      const chain = request.headers["chaya-chain"] as string;
      depths.push(chain.split(".")[0] ?? "");
      const next = await rig.invoke(fn, "", { "Chaya-Chain": chain });
      response.end(next.body);
    };
    const answer = JSON.parse((await rig.invoke(fn)).body);
    expect(answer).toMatchObject({ code: "call-chain-too-deep" });
    expect(depths).toEqual(Array.from({ length: 16 }, (_, depth) => String(depth)));
    const refused = await rig.observed((call) => call.status === "refused");
    expect(refused).toMatchObject({ httpStatus: 429, problem: { code: "call-chain-too-deep" } });
    expect(rig.calls.some((call) => call.id === refused.causeId && call.status === "succeeded")).toBe(true);
  });

  it("are believed only with our signature", async () => {
    const { rig, fn } = await open({ answer: dump });
    const forged = new CallChains(Buffer.alloc(32, 8)).sign("01TEST00000000000000000001", 15);
    const answer = await rig.invoke(fn, "", { "Chaya-Chain": forged });
    expect(answer.status).toBe(200);
    expect(named(JSON.parse(answer.body).rawHeaders, "chaya-chain")["Chaya-Chain"]).toMatch(/^0\./);
  });
});

describe("CORS", () => {
  const cors = { origins: ["http://a.example", "http://b.example"], headers: ["X-One", "X-Two"] };

  it("is off by default", async () => {
    const { rig } = await open({ answer: dump });
    const answer = await rig.request("OPTIONS", "/t/app/a/b", { headers: { Origin: "http://evil.example" } });
    expect(answer.status).toBe(200);
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
  });

  it("takes preflights of allowed origins and refuses others before any function runs", async () => {
    const { rig, fn } = await open({ deps: { cors } });
    const preflight = await rig.request("OPTIONS", "/t/app/a/b", { headers: { Origin: "http://a.example" } });
    expect(preflight).toMatchObject({ status: 200, body: "" });
    expect(preflight.headers).toMatchObject({
      ...{ "access-control-allow-headers": "X-One,X-Two", "access-control-allow-methods": "GET,POST,PUT,HEAD,DELETE" },
      ...{ "access-control-allow-origin": "http://a.example", "access-control-max-age": "43200" },
      vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    });
    for (const origin of ["null", "http://evil-a.example", "http://a.example.evil.example", "HTTP://A.EXAMPLE"]) {
      expect(await rig.invoke(fn, "", { Origin: origin })).toMatchObject({ status: 403, body: "" });
    }
    expect(rig.runtime.specs).toHaveLength(0);
    const answer = await rig.invoke(fn, "", { Origin: "http://b.example" });
    expect(answer.headers).toMatchObject({ "access-control-allow-origin": "http://b.example", vary: "Origin" });
  });
});

describe("draining", () => {
  it("finishes calls in flight and refuses new ones with Retry-After", async () => {
    const { rig, fn } = await open();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    rig.script.answer = async ({ response }) => {
      await released;
      response.end("done");
    };
    const inFlight = rig.invoke(fn);
    await rig.until(() => rig.runtime.instances.size === 1);
    let isDrained = false;
    const drained = rig.invocation.drain(60_000).then(() => {
      isDrained = true;
    });
    const refused = await rig.invoke(fn);
    expect(refused).toMatchObject({ status: 503 });
    expect(refused.headers["retry-after"]).toBe("5");
    expect(JSON.parse(refused.body)).toMatchObject({ message: "Timed out - server too busy", code: "server-draining" });
    await turn();
    expect(isDrained).toBe(false);
    release();
    expect((await inFlight).body).toBe("done");
    await drained;
  });

  it("gives up after its deadline, and what closing interrupts is told that the platform stopped", async () => {
    const { rig, fn } = await open({ answer: () => {} });
    const interrupted = rig.invoke(fn);
    await rig.until(() => [...rig.runtime.instances].some((instance) => instance.calls === 1));
    const drained = rig.invocation.drain(1_000);
    await rig.clock.advance(1_000);
    await drained;
    await rig.invocation[Symbol.asyncDispose]();
    const answer = await interrupted;
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body).code).toBe("server-draining");
    expect(rig.runtime.instances.size).toBe(0);
  });
});

function* pairs(flat: readonly string[]): Iterable<[string, string]> {
  for (let index = 0; index < flat.length; index += 2) yield [flat[index] ?? "", flat[index + 1] ?? ""];
}
