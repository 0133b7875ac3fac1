import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { isProblem, type ProblemCode, problemStatus, problems } from "@chaya/contract";
import { build } from "esbuild";
import { afterEach, describe, expect, it } from "vitest";
import {
  AnsweredProblem,
  answerProblem,
  createClient,
  readEvents,
  ServerUnreachable,
  UnexpectedAnswer,
} from "./index.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  // A TCP server's address is an object.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Seen {
  readonly line: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A server that records what it is asked and always answers the same. */
async function recorder(status: number, answer: unknown, headers: Record<string, string> = {}) {
  const seen: Seen[] = [];
  const url = await serve(async (request, response) => {
    seen.push({ line: `${request.method} ${request.url}`, headers: request.headers, body: await text(request) });
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  });
  return { client: createClient({ url }), url, seen };
}

describe("a client", () => {
  it("reads lists of OCI to their end, unless it is asked for a page", async () => {
    const targets: string[] = [];
    const url = await serve((request, response) => {
      targets.push(request.url ?? "");
      const page = Number(new URL(request.url ?? "", "http://h").searchParams.get("page") ?? 0);
      response.writeHead(200, {
        "content-type": "application/json",
        ...(page < 2 && { "opc-next-page": `${page + 1}` }),
      });
      response.end(JSON.stringify([{ name: `user${page}` }]));
    });
    const { identity } = createClient({ url });
    const names = async (asked: { limit?: number; page?: string }) =>
      (await identity.listUsers({ compartmentId: "01R", ...asked })).map(({ name }) => name);
    expect(await names({})).toEqual(["user0", "user1", "user2"]);
    expect(targets.at(-1)).toBe("/20160918/users?compartmentId=01R&page=2");
    expect(await names({ limit: 1 })).toEqual(["user0"]);
    expect(await names({ page: "1" })).toEqual(["user1"]);
  });

  it("takes an answer without a body whatever its status", async () => {
    const { client, seen } = await recorder(202, "");
    expect(await client.identity.deleteCompartment({ compartmentId: "01C" })).toBeUndefined();
    expect(seen.map(({ line }) => line)).toEqual(["DELETE /20160918/compartments/01C"]);
  });

  it("puts path parameters, query and body where the contract says", async () => {
    const { client, seen } = await recorder(200, { items: [] });
    await client.fn.listApps();
    await client.fn.listFns({ app_id: "01A", name: "a b&c" });
    await client.fn.updateFn({ fnId: "01F/../x", body: { image: "i:1", config: { K: "" } } });
    await client.chaya.listCalls({ app: "demo", status: "failed", limit: 5 });
    await client.chaya.setSecret({ appId: "01A", name: "TOKEN", fn: "hello", body: { value: "s" } });
    expect(seen.map(({ line, body }) => (body === "" ? line : `${line} ${body}`))).toEqual([
      "GET /v2/apps",
      "GET /v2/fns?app_id=01A&name=a+b%26c",
      'PUT /v2/fns/01F%2F..%2Fx {"image":"i:1","config":{"K":""}}',
      "GET /chaya/v1/calls?app=demo&status=failed&limit=5",
      'PUT /chaya/v1/apps/01A/secrets/TOKEN?fn=hello {"value":"s"}',
    ]);
    expect(seen[2]?.headers["content-type"]).toBe("application/json");
  });

  it.each(["", ".", ".."])("refuses '%s' as part of a path: it would reach another route", async (appId) => {
    const { client, seen } = await recorder(204, "");
    await expect(client.fn.deleteApp({ appId })).rejects.toThrow(RangeError);
    expect(seen).toEqual([]);
  });

  it("keeps a path in its URL and sends its headers with every request", async () => {
    const { url, seen } = await recorder(204, "");
    const client = createClient({ url: `${url}/behind/proxy/`, headers: { authorization: "Bearer t" } });
    expect(await client.fn.deleteApp({ appId: "01A" })).toBeUndefined();
    expect(seen[0]).toMatchObject({ line: "DELETE /behind/proxy/v2/apps/01A", headers: { authorization: "Bearer t" } });
  });

  it("makes a problem of an RFC 9457 answer, with its fields and the server's words", async () => {
    const { client } = await recorder(404, {
      type: "x",
      title: "not-found",
      status: 404,
      detail: "No such call.",
      code: "call-not-found",
      hint: "Look.",
      requestId: "01R",
      call: "01C",
    });
    const error = await client.chaya.getCall({ callId: "01C" }).catch((thrown) => thrown);
    expect(isProblem(error, "call-not-found")).toBe(true);
    expect(error).toBeInstanceOf(AnsweredProblem);
    expect(error).toMatchObject({
      message: "No such call.",
      hint: "Look.",
      kind: "not-found",
      requestId: "01R",
      fields: { call: "01C" },
    });
  });

  it.each([
    [404, "App not found", "application-not-found"],
    [409, "App already exists", "application-exists"],
    [409, "Fn with specified name already exists", "function-exists"],
    [404, "Trigger not found", "trigger-not-found"],
    [400, "Missing Name", "fn-record-invalid"],
    [400, "Invalid JSON", "body-not-json"],
  ])("knows Fn's answer %i '%s' as %s", async (status, message, code) => {
    const { client } = await recorder(status, { message });
    const error = await client.fn.getApp({ appId: "01A" }).catch((thrown) => thrown);
    expect(isProblem(error) && error.code).toBe(code);
    expect(error.message).toBe(message);
  });

  it("takes the code and the call id from an answer in Fn's shape that has them", async () => {
    const body = {
      message: "Timed out",
      code: "function-timed-out",
      detail: "It took longer than 3 s.",
      hint: "Hurry.",
      callId: "01C",
    };
    const { client } = await recorder(504, body);
    const problem = await answerProblem(await client.invoke({ fnId: "01F" }), "fn");
    expect(problem).toMatchObject({
      code: "function-timed-out",
      message: "It took longer than 3 s.",
      hint: "Hurry.",
      callId: "01C",
    });
  });

  it.each([
    [502, "<html>Bad Gateway</html>", "The server answered 502 Bad Gateway: <html>Bad Gateway</html>"],
    [503, "", "The server answered 503 Service Unavailable"],
    [500, { message: "something new" }, "something new"],
    [418, { code: "constructor", detail: "teapot" }, "teapot"],
    [404, [1], "The server answered 404 Not Found: [1]"],
  ])("says what a foreign answer %i says", async (status, body, message) => {
    const { client } = await recorder(status, body);
    const error = await client.chaya.getNode().catch((thrown) => thrown);
    expect(error).toBeInstanceOf(UnexpectedAnswer);
    expect(error.message).toBe(message);
  });

  it("says that nobody listens, and why", async () => {
    const { url } = await recorder(200, {});
    servers.pop()?.close();
    const error = await createClient({ url })
      .fn.listApps()
      .catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ServerUnreachable);
    expect(error.message).toContain("ECONNREFUSED");
  });

  it("rejects with the signal's own reason when aborted", async () => {
    const url = await serve(() => {});
    const abort = new AbortController();
    const call = createClient({ url }).fn.listApps({}, abort.signal);
    abort.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
  });

  it("does not follow redirects: credentials stay with the server that was named", async () => {
    const { client, seen } = await recorder(307, "", { location: "http://127.0.0.1:1/v2/apps" });
    await expect(client.fn.listApps()).rejects.toThrow(UnexpectedAnswer);
    expect(seen.length).toBe(1);
  });

  it("invokes with a streamed body and gives the answer raw", async () => {
    const { client, seen } = await recorder(202, "accepted", { "Fn-Call-Id": "01C" });
    const body = new Blob(["streamed"]).stream();
    const response = await client.invoke({
      fnId: "01F",
      body,
      contentType: "text/x",
      isDetached: true,
      idempotencyKey: "k",
    });
    expect([response.status, await response.text(), response.headers.get("fn-call-id")]).toEqual([
      202,
      "accepted",
      "01C",
    ]);
    expect(seen[0]).toMatchObject({
      line: "POST /invoke/01F",
      body: "streamed",
      headers: { "content-type": "text/x", "fn-invoke-type": "detached", "idempotency-key": "k" },
    });
  });

  it("uploads a bundle", async () => {
    const { client, seen } = await recorder(200, { image: "bundle/a/f:sha256-1", digest: "1", bytes: 3, isNew: true });
    const view = await client.uploadBundle({ app: "a", fn: "f", bytes: new Uint8Array([97, 98, 99]) });
    expect(view.image).toBe("bundle/a/f:sha256-1");
    expect(seen[0]).toMatchObject({ line: "POST /chaya/v1/bundles?app=a&fn=f", body: "abc" });
  });

  it("follows log lines as they come, and closes the connection when the loop is left", async () => {
    const closed = Promise.withResolvers<void>();
    const url = await serve((request, response) => {
      expect(request.url).toBe("/chaya/v1/logs?app=demo&follow=true");
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(': hello\n\ndata: {"text":"one"}\n\nevent: ping\ndata: x\n\ndata: {"text":"two"}\n\n');
      response.on("close", closed.resolve);
    });
    const texts: string[] = [];
    for await (const line of createClient({ url }).followLogs({ app: "demo" })) {
      texts.push(line.text);
      if (texts.length === 2) break;
    }
    expect(texts).toEqual(["one", "two"]);
    await closed.promise;
  });
});

describe("the event reader", () => {
  it.each([
    ["LF", "event: a\ndata: 1\ndata: 2\n\ndata:3\n\n"],
    ["CRLF", "event: a\r\ndata: 1\r\ndata: 2\r\n\r\ndata:3\r\n\r\n"],
    ["CR", "event: a\rdata: 1\rdata: 2\r\rdata:3\r\rx"],
  ])("reads the same events with %s, however the bytes are cut", async (_name, source) => {
    for (const size of [1, 2, 3, 7, 1000]) {
      const bytes = new TextEncoder().encode(source);
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.subarray(at, at + size));
          controller.close();
        },
      });
      const events: unknown[] = [];
      for await (const event of readEvents(stream)) events.push(event);
      expect(events).toEqual([
        { type: "a", data: "1\n2" },
        { type: "message", data: "3" },
      ]);
    }
  });
});

describe("the package", () => {
  it("brings no schemas into a browser", async () => {
    const entryPoints = [fileURLToPath(new URL("./index.ts", import.meta.url))];
    const { metafile } = await build({ entryPoints, bundle: true, write: false, metafile: true, platform: "browser" });
    const inputs = Object.keys(metafile.inputs);
    expect(inputs.filter((path) => path.includes("node_modules"))).toEqual([]);
    expect(inputs.some((path) => path.endsWith("problems.ts"))).toBe(true);
  });

  it("restores every problem of the catalogue from an answer that names it", async () => {
    // Object.keys widens the keys of a constant table to string.
    for (const code of Object.keys(problems) as ProblemCode[]) {
      const status = problemStatus[problems[code].kind];
      const body = JSON.stringify({ code, detail: `words of ${code}`, hint: "h" });
      const problem = await answerProblem(new Response(body, { status }), "chaya");
      expect(isProblem(problem, code) && problem.status === status && problem.message === `words of ${code}`).toBe(
        true,
      );
    }
  });

  it("shows an example that works", async () => {
    const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
    const source = await readFile(new URL("./client.ts", import.meta.url), "utf8");
    const examples = [readme, source.replaceAll(/^ \* ?/gm, "")].flatMap((file) => [
      ...file.matchAll(/^```js\n([\s\S]*?)^```/gm),
    ]);
    expect(examples.length).toBe(2);
    for (const [, code = ""] of examples) await runExample(code);
  });
});

/** Runs an example of the documentation against a server that knows applications and one function. */
async function runExample(code: string): Promise<void> {
  const apps: { id: string; name: string }[] = [];
  const url = await serve(async (request, response) => {
    const body = await text(request);
    const answer = (status: number, value: unknown) => response.writeHead(status).end(JSON.stringify(value));
    if (request.url?.startsWith("/invoke/")) return answer(200, { echo: JSON.parse(body) });
    if (request.url?.startsWith("/v2/apps/")) return answer(404, { message: "App not found" });
    if (request.method === "GET") return answer(200, { items: apps });
    apps.push({ id: `01A${apps.length}`, name: JSON.parse(body).name });
    return answer(200, apps.at(-1));
  });
  const body = code.replaceAll(/^import .*$/gm, "").replaceAll("http://127.0.0.1:8080", url);
  const imports = { assert: (await import("node:assert")).default, createClient, isProblem };
  const run = new Function(...Object.keys(imports), `return (async () => { ${body} })();`);
  await run(...Object.values(imports));
}
