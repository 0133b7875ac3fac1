import { Problem, route } from "@chaya/contract";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { silentLogger } from "../../kernel/logger.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { exchangeRaw, type RawAnswer } from "../../testing/raw-http.ts";
import { startTestFront, type TestFront } from "../../testing/test-front.ts";
import { noAudit } from "../audit.ts";
import { administratorOnly } from "../authorize.ts";
import { type ControlRoute, control } from "../control-route.ts";
import { checkIfMatch, opcRetryToken } from "../opc-headers.ts";
import { type ControlServer, createControlServer } from "./control-server.ts";

const base = {
  dialect: "oci",
  door: "control",
  auth: { action: "manage", resource: "fn-app", operation: "ManageThing" },
  problems: [],
} as const;
const Thing = () => z.looseObject({ displayName: z.string(), size: z.int().optional() });
const listThings = route({
  ...base,
  method: "GET",
  path: "/20300101/things",
  summary: "List things.",
  query: () => z.object({ compartmentId: z.string(), limit: z.coerce.number().int().max(50).optional() }),
  result: () => z.array(z.unknown()),
});
const createThing = route({
  ...base,
  method: "POST",
  path: "/20300101/things",
  summary: "Create a thing.",
  body: Thing,
  result: Thing,
});
const getThing = route({ ...base, method: "GET", path: "/20300101/things/{thingId}", summary: "Read.", result: Thing });
const deleteThing = route({
  ...base,
  method: "DELETE",
  path: "/20300101/things/{thingId}",
  status: 204,
  summary: "Delete.",
});
const startThing = route({
  ...base,
  method: "POST",
  path: "/20300101/things/{thingId}/actions/start",
  status: 202,
  summary: "Start.",
  body: () => z.looseObject({ speed: z.int().default(1) }),
});

const bodies: unknown[] = [];
const thrown: Record<string, unknown> = {};
const routes: readonly ControlRoute[] = [
  control(
    listThings,
    () => "anywhere",
    async ({ query }) => ({ result: [query], nextPage: "next" }),
  ),
  control(
    createThing,
    () => "anywhere",
    async ({ body, headers }) => {
      bodies.push(body, opcRetryToken(headers));
      return { result: body, etag: "E1" };
    },
  ),
  control(
    getThing,
    () => "anywhere",
    async ({ params }) => {
      throw thrown[params.thingId] ?? new Problem("function-not-found", { function: params.thingId });
    },
  ),
  control(
    deleteThing,
    () => "anywhere",
    async ({ headers }) => {
      checkIfMatch(headers, "E1");
      return {};
    },
  ),
  control(
    startThing,
    () => "anywhere",
    async ({ body }) => {
      bodies.push(body);
      return {};
    },
  ),
];

let server: ControlServer;
let front: TestFront;
beforeAll(async () => {
  const clock = new ManualClock();
  const deps = { clock, logger: silentLogger(), reached: async () => {}, authorize: administratorOnly, audit: noAudit };
  server = await createControlServer(deps, routes);
  front = await startTestFront(server.served, { clock });
});
afterAll(async () => {
  await front[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  bodies.length = 0;
});

async function ask(line: string, body?: string, headers = ""): Promise<RawAnswer> {
  const bytes = Buffer.from(body ?? "", "utf8").toString("latin1");
  const length = body === undefined ? "" : `Content-Length: ${bytes.length}\r\n`;
  const answer = await exchangeRaw(
    front.port,
    `${line} HTTP/1.1\r\nHost: localhost\r\n${length}${headers}\r\n${bytes}`,
  );
  if (answer === undefined) throw new Error(`no answer to ${line}`);
  return answer;
}

describe("OCI's dialect answers", () => {
  it("a resource with its etag, a list with its next page, and each with the request's id", async () => {
    const created = await ask("POST /20300101/things", '{"displayName":"a"}', "opc-request-id: mine-1/2\r\n");
    expect(created).toMatchObject({
      status: 200,
      headers: { "content-type": "application/json", etag: "E1", "opc-request-id": "mine-1/2" },
      body: '{"displayName":"a"}',
    });
    const listed = await ask("GET /20300101/things?compartmentId=c");
    expect(listed).toMatchObject({
      status: 200,
      headers: { "opc-next-page": "next" },
      body: '[{"compartmentId":"c"}]',
    });
    expect(listed.headers["opc-request-id"]).toMatch(/^[0-9A-Z]{26}$/);
  });

  it("204 and 202 without a body", async () => {
    const deleted = await ask("DELETE /20300101/things/t");
    expect(deleted).toMatchObject({ status: 204, body: "" });
    expect(deleted.headers["opc-request-id"]).toMatch(/^[0-9A-Z]{26}$/);
    expect(deleted.headers["content-type"]).toBeUndefined();
    const started = await ask("POST /20300101/things/t/actions/start", '{"speed":2}');
    expect(started).toMatchObject({ status: 202, body: "", headers: { "content-length": "0" } });
  });

  it.each(["", "a b", "x".repeat(129), "<script>", "a, b", 'a"b'])(
    "no request id that could harm its readers: '%.20s'",
    async (id) => {
      const answer = await ask("GET /20300101/things/none", undefined, `opc-request-id: ${id}\r\n`);
      expect(answer.headers["opc-request-id"]).toMatch(/^[0-9A-Z]{26}$/);
    },
  );

  it("a bug with an id that the log has, and nothing else of it", async () => {
    thrown.bug = new Error("secret insides");
    const answer = await ask("GET /20300101/things/bug", undefined, "opc-request-id: mine\r\n");
    expect(answer).toMatchObject({ status: 500, headers: { "opc-request-id": "mine" } });
    expect(JSON.parse(answer.body)).toEqual({
      code: "InternalServerError",
      message: `Something went wrong in the platform (request ${answer.headers["chaya-request-id"]}).`,
    });
  });
});

describe("OCI's dialect refuses", () => {
  const hidden = {
    code: "NotAuthorizedOrNotFound",
    message: "Authorization failed or requested resource not found.",
  };

  it("what is missing and what is not allowed in the same words", async () => {
    thrown.denied = new Problem("not-authorized");
    const [missing, denied] = [await ask("GET /20300101/things/none"), await ask("GET /20300101/things/denied")];
    for (const { status, headers, body } of [missing, denied]) {
      expect(status).toBe(404);
      expect(headers["content-type"]).toBe("application/json");
      expect(JSON.parse(body)).toEqual(hidden);
    }
  });

  it.each([
    ["GET /20300101/nothing", 404, "NotFound"],
    ["GET /20990101/whatever", 404, "NotFound"],
    ["PUT /20300101/things/a", 405, "MethodNotAllowed"],
    ["HEAD /20300101/things/a", 405, undefined],
    ["GET /20300101/things/%ff", 404, "NotFound"],
    ["GET /20300101/things", 400, "MissingParameter"],
    ["GET /20300101/things?compartmentId=c&limit=51", 400, "InvalidParameter"],
    ["GET /20300101/things?compartmentId=c&limit=many", 400, "InvalidParameter"],
  ])("%s", async (line, status, code) => {
    const answer = await ask(line);
    expect(answer.status).toBe(status);
    expect(answer.headers["opc-request-id"]).toMatch(/^[0-9A-Z]{26}$/);
    if (code === undefined) expect(answer.body).toBe("");
    else expect(JSON.parse(answer.body)).toMatchObject({ code, message: expect.any(String) });
  });

  it("each kind of problem with OCI's code and status", async () => {
    const cases = [
      [new Problem("credentials-invalid"), 401, "NotAuthenticated"],
      [new Problem("application-exists", { application: "a" }), 409, "NotAuthorizedOrResourceAlreadyExists"],
      [new Problem("application-not-empty", { application: "a" }), 409, "Conflict"],
      [new Problem("etag-mismatch"), 412, "NoEtagMatch"],
      [new Problem("secrets-exhausted", { application: "a", secretsMax: 1 }), 429, "TooManyRequests"],
      [new Problem("store-unavailable", { reason: "gone" }), 503, "ServiceUnavailable"],
      [new Problem("server-draining"), 503, "ServiceUnavailable"],
      [new Problem("related-not-found", { what: "It" }), 400, "RelatedResourceNotAuthorizedOrNotFound"],
    ] as const;
    for (const [problem, status, code] of cases) {
      thrown.one = problem;
      const answer = await ask("GET /20300101/things/one");
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([status, code]);
    }
  });

  it.each([
    ["no JSON", "{", 400, "CannotParseRequest"],
    ["white space in place of JSON", " ", 400, "CannotParseRequest"],
    ["two values", "{} {}", 400, "CannotParseRequest"],
    ["a repeated member", '{"a":1,"a":2}', 400, "CannotParseRequest"],
    ["a prototype", '{"__proto__":{}}', 400, "CannotParseRequest"],
    ["half a character", '{"displayName":"\\ud800"}', 400, "CannotParseRequest"],
    ["a pit", `{"a":${"[".repeat(10_000)}`, 400, "CannotParseRequest"],
    ["a list", "[]", 400, "InvalidParameter"],
    ["a member of another type", '{"displayName":5}', 400, "InvalidParameter"],
    ["a member that is missing", "{}", 400, "MissingParameter"],
    ["a member that is null", '{"displayName":null}', 400, "MissingParameter"],
    ["more than a mebibyte", `{"displayName":"${"a".repeat(1024 * 1024)}"}`, 413, "PayloadTooLarge"],
  ])("a body with %s", async (_, body, status, code) => {
    const answer = await ask("POST /20300101/things", body);
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([status, code]);
    expect(answer.headers["opc-request-id"]).toBeDefined();
  });
});

describe("OCI's dialect reads", () => {
  it("queries leniently: the first of several, a plus for a space, names it does not know", async () => {
    const answer = await ask("GET /20300101/things?compartmentId=a+b&compartmentId=c&x=y&limit=5");
    expect(JSON.parse(answer.body)).toEqual([{ compartmentId: "a b", limit: 5 }]);
  });

  it("bodies with members it does not know, as they came, and null members as absent ones", async () => {
    const body = '{"displayName":"a","size":null,"progress":{"x":null,"y":[null,{"z":null}]}}';
    await ask("POST /20300101/things", body);
    expect(bodies[0]).toEqual({ displayName: "a", progress: { y: [null, {}] } });
  });

  it("no body as an empty object", async () => {
    expect((await ask("POST /20300101/things/t/actions/start", undefined, "Content-Length: 0\r\n")).status).toBe(202);
    expect((await ask("POST /20300101/things/t/actions/start")).status).toBe(202);
    expect(bodies).toEqual([{ speed: 1 }, { speed: 1 }]);
  });

  it("a Content-Type without a body, and a body without one", async () => {
    const json = "Content-Type: application/json\r\n";
    expect((await ask("GET /20300101/things?compartmentId=c", undefined, json)).status).toBe(200);
    expect((await ask("DELETE /20300101/things/t", undefined, json)).status).toBe(204);
    expect((await ask("POST /20300101/things", '{"displayName":"a"}')).status).toBe(200);
  });

  it.each([
    ["E1", 204],
    ['"E1"', 204],
    ["*", 204],
    ["E0, E1", 204],
    ["E2", 412],
    ["e1", 412],
  ])("If-Match: %s", async (etag, status) => {
    expect((await ask("DELETE /20300101/things/t", undefined, `If-Match: ${etag}\r\n`)).status).toBe(status);
  });

  it("a retry token, and refuses what is none", async () => {
    await ask("POST /20300101/things", '{"displayName":"a"}', "opc-retry-token: t-1\r\n");
    expect(bodies[1]).toBe("t-1");
    for (const token of ["", "a b", "x".repeat(65)]) {
      const answer = await ask("POST /20300101/things", '{"displayName":"a"}', `opc-retry-token: ${token}\r\n`);
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, "InvalidParameter"]);
    }
  });
});
