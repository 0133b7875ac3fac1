import { isProblem, limits, Problem, route } from "@chaya/contract";
import { chayaRoutes } from "@chaya/contract/chaya";
import { fnRoutes } from "@chaya/contract/fn";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../kernel/logger.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { exchangeRaw, type RawAnswer, RawClient } from "../../testing/raw-http.ts";
import { startTestFront, type TestFront } from "../../testing/test-front.ts";
import { noAudit } from "../audit.ts";
import { administratorOnly } from "../authorize.ts";
import { type ControlRequest, type ControlRoute, control } from "../control-route.ts";
import { type ControlServer, createControlServer } from "./control-server.ts";

const clock = new ManualClock();
const seen: ControlRequest<typeof fnRoutes.createApp>[] = [];
const longRoute = route({ ...chayaRoutes.getNode, path: "/chaya/v1/held/{name}" });
let held = (_signal: AbortSignal): Promise<void> => Promise.resolve();
const view = { id: "I", name: "n", created_at: "t", updated_at: "t" };

const routes: ControlRoute[] = [
  control(
    fnRoutes.createApp,
    () => "anywhere",
    async (request) => {
      seen.push(request);
      return { result: { ...view, name: request.body.name ?? "" }, seq: 7 };
    },
  ),
  control(
    fnRoutes.listApps,
    () => "anywhere",
    async ({ query }) => ({
      result: { next_cursor: JSON.stringify(query), items: [] },
    }),
  ),
  control(
    fnRoutes.getApp,
    () => "anywhere",
    async ({ params }) => {
      throw new Problem("application-not-found", { application: params.appId });
    },
  ),
  control(
    fnRoutes.deleteApp,
    () => "anywhere",
    async () => ({}),
  ),
  control(
    fnRoutes.updateApp,
    () => "anywhere",
    async () => {
      throw new Error("not to be shown");
    },
  ),
  control(
    fnRoutes.listFnCalls,
    () => "anywhere",
    async () => {
      throw new Problem("route-gone");
    },
  ),
  control(
    fnRoutes.findTriggerBySource,
    () => "anywhere",
    async ({ params }) => ({
      result: { ...view, app_id: params.appId, fn_id: "", type: params.type, source: params.source },
    }),
  ),
  control(
    chayaRoutes.listCalls,
    () => "anywhere",
    async ({ query }) => ({ result: { items: [], nextCursor: JSON.stringify(query) } }),
  ),
  control(
    chayaRoutes.getCall,
    () => "anywhere",
    async ({ params }) => {
      throw new Problem("call-not-found", { call: params.callId });
    },
  ),
  control(
    chayaRoutes.rollback,
    () => "anywhere",
    async ({ body }) => ({
      result: { image: body.image ?? "", createdAt: "t", isCurrent: true },
    }),
  ),
  control(
    chayaRoutes.unsetSecret,
    () => "anywhere",
    async () => ({ seq: 9 }),
  ),
  control(
    longRoute,
    () => "anywhere",
    async ({ signal }) => {
      await held(signal);
      throw new Problem("client-gone");
    },
  ),
];

let server: ControlServer;
let front: TestFront;
beforeAll(async () => {
  const reached = (seq: number, signal: AbortSignal) =>
    seq <= 10
      ? Promise.resolve()
      : new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  server = await createControlServer(
    { clock, logger: silentLogger(), reached, authorize: administratorOnly, audit: noAudit },
    routes,
  );
  front = await startTestFront(server.served, { clock });
});
afterAll(async () => {
  await front[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

function ask(line: string, body?: string, headers = ""): Promise<RawAnswer | undefined> {
  const bytes = Buffer.from(body ?? "", "utf8").toString("latin1");
  const length = body === undefined ? "" : `Content-Length: ${bytes.length}\r\n`;
  return exchangeRaw(front.port, `${line} HTTP/1.1\r\nHost: localhost\r\n${length}${headers}\r\n${bytes}`);
}

const invalidJson = '{"message":"Invalid JSON"}\n';

describe("Fn's dialect", () => {
  it("answers success as Fn's server does: 200, escaped as Go does, no newline, keys in the handler's order", async () => {
    const answer = await ask("POST /v2/apps", '{"name":"<a&b>"}', "Content-Type: text/plain\r\n");
    expect(answer).toMatchObject({
      status: 200,
      headers: { "content-type": "application/json; charset=utf-8", "chaya-seq": "7" },
      body: '{"id":"I","name":"\\u003ca\\u0026b\\u003e","created_at":"t","updated_at":"t"}',
    });
    expect(answer?.headers["content-length"]).toBe(String(Buffer.byteLength(answer?.body ?? "")));
  });

  it("answers errors as Fn's server does: its message alone and a newline", async () => {
    expect(await ask("GET /v2/apps/nope")).toMatchObject({
      status: 404,
      headers: { "content-type": "application/json; charset=utf-8", "content-length": "28" },
      body: '{"message":"App not found"}\n',
    });
  });

  it("answers deletions 204 with a type and without a body", async () => {
    const answer = await ask("DELETE /v2/apps/A");
    expect(answer).toMatchObject({ status: 204, headers: { "content-type": "text/plain; charset=utf-8" } });
    expect(answer?.headers["content-length"]).toBeUndefined();
    expect(answer?.headers["transfer-encoding"]).toBeUndefined();
    expect((await ask("DELETE /v2/apps/A", "ignored", "Content-Type: a/b\r\n"))?.status).toBe(204);
  });

  it("answers removed routes 410 without a body", async () => {
    const answer = await ask("GET /v2/fns/F/calls");
    expect(answer).toMatchObject({ status: 410, headers: { "content-length": "0" }, body: "" });
    expect(answer?.headers["content-type"]).toBeUndefined();
  });

  it.each([
    ["null is an empty object", "null", undefined],
    ["unknown members", '{"name":"a","bogus":1}', "a"],
    ["names in any case", '{"NAME":"caseins"}', "caseins"],
    ["the last of several spellings", '{"name":"a","Name":"b","name":"c"}', "c"],
    ["bytes behind the first value", '{"name":"trail"} xyz', "trail"],
    ["a zero time", '{"name":"z","created_at":"0001-01-01T00:00:00.000Z"}', "z"],
    ["letters of any script", '{"name":"été"}', "été"],
  ])("reads bodies as Fn's server does: %s", async (_, body, name) => {
    seen.length = 0;
    expect((await ask("POST /v2/apps", body))?.status).toBe(200);
    expect(seen[0]?.body.name).toBe(name);
  });

  it.each(["", "{", "[]", "x", "5", '"a"', '{"name":5}', '{"config":{"k":1}}', '{"created_at":"yesterday"}'])(
    "answers what is no JSON object of the right types with Invalid JSON: %s",
    async (body) => {
      expect(await ask("POST /v2/apps", body)).toMatchObject({
        status: 400,
        headers: { "content-type": "application/json; charset=utf-8" },
        body: invalidJson,
      });
    },
  );

  it.each([
    `{"annotations":${"[".repeat(100_000)}`,
    '{"annotations":{"a":1e309}}',
    '{"name":"\\ud800"}',
    '{"config":{"__proto__":"x"}}',
    '{"annotations":{"constructor":{"prototype":{}}}}',
    "\ufeff{}",
  ])("refuses what harms later: %.40s", async (body) => {
    expect(await ask("POST /v2/apps", body)).toMatchObject({ status: 400, body: invalidJson });
  });

  it.each(["application/json", "text/plain", "", "nonsense", ";;;", "application/x-www-form-urlencoded", 'a/b; c="d'])(
    "parses the body whatever its Content-Type says: '%s'",
    async (type) => {
      expect((await ask("POST /v2/apps", '{"name":"a"}', `Content-Type: ${type}\r\n`))?.status).toBe(200);
    },
  );

  it("takes bodies of 1 MiB and refuses larger ones with 413, announced or chunked", async () => {
    const body = (bytes: number) => `{"name":"${"a".repeat(bytes - 11)}"}`;
    expect((await ask("POST /v2/apps", body(limits.controlBodyBytesMax)))?.status).toBe(200);
    const tooLarge = { status: 413, body: '{"message":"Request content too large"}\n' };
    expect(await ask("POST /v2/apps", body(limits.controlBodyBytesMax + 1))).toMatchObject(tooLarge);
    await using client = await RawClient.connect(front.port);
    client.send("POST /v2/apps HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(`110000\r\n${"a".repeat(0x110000)}\r\n0\r\n\r\n`);
    expect(await client.answer()).toMatchObject(tooLarge);
  });

  it("reads queries leniently: first value, unknown names ignored", async () => {
    const answer = await ask("GET /v2/apps?name=a&name=b&bogus=1&per_page=x&__proto__=y");
    expect(JSON.parse(JSON.parse(answer?.body ?? "").next_cursor)).toEqual({ name: "a", per_page: "x" });
    expect((await ask("GET /v2/apps?name=%00"))?.status).toBe(400);
  });

  it("shows a bug as Fn does, with the request id in a header", async () => {
    const answer = await ask("PUT /v2/apps/A", "{}");
    expect(answer).toMatchObject({ status: 500, body: '{"message":"internal server error"}\n' });
    expect(answer?.headers["chaya-request-id"]).toMatch(/^[0-9A-Z]{26}$/);
  });
});

describe("parameters of a path", () => {
  it("are decoded once and may hold what a segment may", async () => {
    const source = (answer: RawAnswer | undefined) => JSON.parse(answer?.body ?? "");
    const runner = "/v2/runner/apps/A/triggerBySource/http";
    expect(source(await ask(`GET ${runner}//a/b%2Fc`))).toMatchObject({ type: "http", source: "/a/b/c" });
    expect(source(await ask(`GET ${runner}/a`))).toMatchObject({ source: "a" });
    expect(source(await ask(`GET ${runner}`))).toMatchObject({ source: "" });
    expect(source(await ask(`GET /v2/runner/apps/%2541/triggerBySource/http//x`)).app_id).toBe("%41");
    const long = "x".repeat(5_000);
    expect(source(await ask(`GET ${runner}//${long}`)).source).toBe(`/${long}`);
  });

  it("without a normal form are nothing that could be found", async () => {
    for (const name of ["%00", "%c0%af", "%zz", "%", ".", "..", "%2e%2e", "a%2f..%2fb"]) {
      const answer = await ask(`GET /v2/apps/${name}`);
      expect({ name, answer }).toMatchObject({ answer: { status: 404 } });
      expect(answer?.body).toContain("Path not found");
    }
  });
});

describe("our dialect", () => {
  const problemOf = (answer: RawAnswer | undefined) => JSON.parse(answer?.body ?? "");

  it("answers problems as RFC 9457 describes them, with the fields of the problem", async () => {
    const answer = await ask("GET /chaya/v1/calls/C");
    expect(answer?.headers["content-type"]).toBe("application/problem+json");
    expect(problemOf(answer)).toEqual({
      type: "urn:chaya:problem:call-not-found",
      title: "Not Found",
      status: 404,
      detail: "There is no record of a call 'C'.",
      code: "call-not-found",
      hint: "Records have an age limit; list the newest with: chaya calls list",
      requestId: expect.stringMatching(/^[0-9A-Z]{26}$/),
      call: "C",
    });
  });

  it("fills in defaults and refuses queries that it does not know, that repeat or do not fit", async () => {
    const page = problemOf(await ask("GET /chaya/v1/calls?app=demo"));
    expect(JSON.parse(page.nextCursor)).toEqual({ app: "demo", limit: limits.pageItemsDefault });
    for (const query of ["bogus=1", "app=a&app=b", "limit=0", "limit=x", "status=odd", "since=yesterday", "app=%00"]) {
      const answer = await ask(`GET /chaya/v1/calls?${query}`);
      expect({ query, code: problemOf(answer).code }).toEqual({ query, code: "request-invalid" });
    }
  });

  it.each([
    ["", "body-not-json", "it is empty"],
    ["null", "request-invalid", "expected object"],
    ["[]", "request-invalid", "expected object"],
    ['{"image":5}', "request-invalid", "body image"],
    ['{"bogus":1}', "request-invalid", "bogus"],
    ['{"IMAGE":"a"}', "request-invalid", "IMAGE"],
    ['{"image":"a","image":"b"}', "body-not-json", "twice"],
    ["{} x", "body-not-json", "unexpected"],
    ["\ufeff{}", "body-not-json", "unexpected"],
    ['{"__proto__":1}', "body-not-json", "__proto__"],
  ])("reads bodies strictly: %s", async (body, code, words) => {
    const answer = await ask("POST /chaya/v1/functions/F/rollback", body);
    expect(problemOf(answer)).toMatchObject({ status: 400, code });
    expect(problemOf(answer).detail).toContain(words);
  });

  it("refuses bytes that are not UTF-8", async () => {
    const request =
      'POST /chaya/v1/functions/F/rollback HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n\r\n{"image":"\xff"}';
    expect(problemOf(await exchangeRaw(front.port, request))).toMatchObject({ code: "body-not-json" });
  });

  it("answers 204 with neither type nor body", async () => {
    const answer = await ask("DELETE /chaya/v1/apps/A/secrets/S");
    expect(answer).toMatchObject({ status: 204, headers: { "chaya-seq": "9" } });
    expect(answer?.headers["content-type"]).toBeUndefined();
  });
});

describe("a request that has seen a newer change", () => {
  it("waits for this node to catch up, for a while", async () => {
    expect((await ask("GET /v2/apps", undefined, "Chaya-Seq: 10\r\n"))?.status).toBe(200);
    const late = ask("GET /chaya/v1/calls", undefined, "Chaya-Seq: 11\r\n");
    const answered = late.then(() => "answered");
    for (;;) {
      await clock.advance(1_000);
      if ((await Promise.race([answered, Promise.resolve("waiting")])) === "answered") break;
    }
    expect(await late).toMatchObject({ status: 503, headers: { "retry-after": "5" } });
    expect((await ask("GET /v2/apps", undefined, "Chaya-Seq: -1\r\n"))?.status).toBe(400);
    expect((await ask("GET /v2/apps", undefined, "Chaya-Seq: x\r\n"))?.status).toBe(400);
  });
});

describe("a client that goes away", () => {
  it("aborts its handler", async () => {
    const aborted = new Promise<unknown>((resolve) => {
      held = (signal) =>
        new Promise((done) => {
          signal.addEventListener("abort", () => {
            resolve(signal.reason);
            done();
          });
          client.socket.destroy();
        });
    });
    const client = await RawClient.connect(front.port);
    client.send("GET /chaya/v1/held/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(isProblem(await aborted, "client-gone")).toBe(true);
  });
});
