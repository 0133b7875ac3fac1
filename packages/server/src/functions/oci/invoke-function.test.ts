import { createHash } from "node:crypto";
import { type IncomingHttpHeaders, request } from "node:http";
import { text } from "node:stream/consumers";
import { limits } from "@chaya/contract";
import { ocidOf } from "@chaya/contract/oci";
import { InvokeFunctionRequest } from "oci-functions/lib/request/index.js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Authentication } from "../../http/authenticate.ts";
import { administratorOnly } from "../../http/authorize.ts";
import { createMainRules } from "../../http/front/main-rules.ts";
import type { Principal } from "../../http/principal.ts";
import { InvocationRig, openStore, type RigOptions } from "../../testing/invocation-rig.ts";
import { anySignature, type OciClients, ociClients, silenceSdk } from "../../testing/oci-clients.ts";
import type { Script, ScriptedCall } from "../../testing/scripted-runtime.ts";
import type { OpenTestStore } from "../../testing/stores.ts";
import { startTestFront } from "../../testing/test-front.ts";

const functionId = "01JFFFFFFFFFFFFFFFFFFFFFFF";
const ocid = ocidOf("fnfunc", functionId, "eu-frankfurt-1");
const user: Principal = { kind: "user", id: "U", name: "ada" };
const hidden = { code: "NotAuthorizedOrNotFound", message: "Authorization failed or requested resource not found." };

interface Told {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Asked {
  readonly id?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Door {
  readonly rig: InvocationRig;
  readonly clients: OciClients;
  invoke(asked?: Asked): Promise<Told>;
}

const opened: AsyncDisposable[] = [];
let store: OpenTestStore;
let warnings: Disposable;
beforeAll(async () => {
  warnings = silenceSdk();
  store = await openStore();
});
afterAll(async () => {
  warnings[Symbol.dispose]();
  await store[Symbol.asyncDispose]();
});
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function open(options: RigOptions = {}, authentication: Authentication = anySignature(user)): Promise<Door> {
  const rig = await InvocationRig.open({
    opened: store,
    ...options,
    deps: { authorize: () => true, ...options.deps },
  });
  opened.push(rig);
  rig.addFunction("f", { id: functionId, timeoutS: 3 });
  const hosts = { publicUrl: () => "http://localhost", allowedHosts: [] };
  const rules = createMainRules({ hosts, authentication });
  const front = await startTestFront(rig.invocation.streams, { clock: rig.clock, rules });
  opened.push(front);
  const clients = ociClients(front.port);
  opened.push({ [Symbol.asyncDispose]: async () => clients[Symbol.dispose]() });
  return { rig, clients, invoke: (asked = {}) => ask(front.port, asked) };
}

async function ask(port: number, { id = ocid, body = "", headers = {} }: Asked): Promise<Told> {
  const path = `/20181201/functions/${id}/actions/invoke`;
  const { promise, resolve, reject } = Promise.withResolvers<Told>();
  const sent = request({ host: "127.0.0.1", port, method: "POST", path, headers, agent: false }, (answer) => {
    const told = async () => ({
      status: answer.statusCode ?? 0,
      headers: answer.headers,
      body: await text(answer),
    });
    told().then(resolve, reject);
  });
  sent.on("error", reject).end(body);
  return promise;
}

describe("invokeFunction through Oracle's SDK", () => {
  it("gives the function's body, and the request's id as the client called it", async () => {
    const { clients } = await open();
    const answer = await clients.invocation.invokeFunction({
      functionId: ocid,
      invokeFunctionBody: "world",
      opcRequestId: "mine",
    });
    expect(await text(answer.value as ReadableStream)).toBe("hello world");
    expect(answer.opcRequestId).toBe("mine");
  });

  it("accepts a detached call and runs it later", async () => {
    const { rig, clients } = await open();
    await rig.work.start();
    const answer = await clients.invocation.invokeFunction({
      ...{ functionId: ocid, invokeFunctionBody: "later" },
      fnInvokeType: InvokeFunctionRequest.FnInvokeType.Detached,
    });
    expect(await text(answer.value as ReadableStream)).toBe("");
    const call = await rig.observed(({ status }) => status === "succeeded");
    expect(call).toMatchObject({ source: "detached", requestBytes: 5 });
  });

  it("runs nothing when it is dry", async () => {
    const { rig, clients } = await open();
    await clients.invocation.invokeFunction({ functionId: ocid, invokeFunctionBody: "x", isDryRun: true });
    expect(rig.runtime.specs).toEqual([]);
    const missing = { functionId: ocidOf("fnfunc", "01JGGGGGGGGGGGGGGGGGGGGGGG", ""), isDryRun: true };
    await expect(clients.invocation.invokeFunction(missing)).rejects.toMatchObject({ statusCode: 404 });
  });
});

describe("invokeFunction", () => {
  it("answers 200 with the function's content type, whatever HTTP it speaks of", async () => {
    const { invoke } = await open({
      answer: ({ response }) => {
        response.writeHead(200, {
          ...{ "Content-Type": "text/csv", "Fn-Http-Status": "418", "Fn-Http-H-X-A": "1", "X-B": "2" },
          ...{ "opc-request-id": "the function's", "Fn-Call-Id": "the function's" },
        });
        response.end("a,b");
      },
    });
    const { status, headers, body } = await invoke({ headers: { "opc-request-id": "mine" } });
    expect([status, body]).toEqual([200, "a,b"]);
    expect(headers).toMatchObject({ "content-type": "text/csv", "opc-request-id": "mine" });
    expect(headers["fn-call-id"]).toMatch(/^[0-9A-Z]{26}$/);
    for (const name of ["fn-http-status", "fn-http-h-x-a", "x-b"]) expect(headers).not.toHaveProperty(name);
  });

  it("hands over intent and content type, but no credentials", async () => {
    let seen: IncomingHttpHeaders = {};
    const { invoke } = await open({
      answer: ({ request, response }) => {
        seen = request.headers;
        response.end();
      },
    });
    const headers = { "fn-intent": "cloudevent", "Content-Type": "a/b", Authorization: "Signature x" };
    expect((await invoke({ headers })).status).toBe(200);
    expect(seen).toMatchObject({ "fn-intent": "cloudevent", "content-type": "a/b" });
    expect(seen).not.toHaveProperty("authorization");
  });

  it("understands an OCID of any region and the id itself, and no OCID of anything else", async () => {
    const { invoke } = await open();
    expect((await invoke({ id: functionId })).status).toBe(200);
    expect((await invoke({ id: ocidOf("fnfunc", functionId, "us-phoenix-1") })).status).toBe(200);
    for (const id of [ocidOf("fnapp", functionId, ""), "f", "%00", "nothing"]) {
      const { status, body } = await invoke({ id });
      expect([status, JSON.parse(body)]).toEqual([404, hidden]);
    }
  });

  it("hides a function from whom it is not open to, and asks for the right to use it", async () => {
    const asked: unknown[] = [];
    const { rig, invoke } = await open({
      deps: {
        authorize: (principal, auth, place) => {
          asked.push([principal, auth, place]);
          return false;
        },
      },
    });
    for (const dry of [{}, { "is-dry-run": "true" }]) {
      const { status, body } = await invoke({ headers: { Authorization: "Signature x", ...dry } });
      expect([status, JSON.parse(body)]).toEqual([404, hidden]);
    }
    expect(rig.runtime.specs).toEqual([]);
    expect(asked[0]).toEqual([
      user,
      { action: "use", resource: "fn-invocation", operation: "InvokeFunction" },
      { compartmentId: "C" },
    ]);
  });

  it("is not open to nobody, as the function door knows an unsigned request", async () => {
    const asNobody: Principal = { kind: "anonymous", id: "anonymous", name: "anonymous" };
    const { rig, invoke } = await open(
      { deps: { authorize: administratorOnly } },
      { authenticate: () => ({ principal: asNobody }), isRequired: false },
    );
    const { status, body } = await invoke();
    expect([status, JSON.parse(body)]).toEqual([404, hidden]);
    expect(rig.runtime.specs).toEqual([]);
  });

  it("is the administrator's where unsigned requests are", async () => {
    const { invoke } = await open({ deps: { authorize: administratorOnly } });
    expect((await invoke({ body: "me" })).body).toBe("hello me");
    const { status, body } = await invoke({ headers: { Origin: "https://elsewhere.example" } });
    expect([status, JSON.parse(body).code]).toEqual([403, "NotAllowed"]);
  });

  it("refuses unsigned requests where credentials are required", async () => {
    const { invoke } = await open({}, { ...anySignature(user), isRequired: true });
    const { status, headers, body } = await invoke();
    expect([status, JSON.parse(body).code]).toEqual([401, "NotAuthenticated"]);
    expect(headers["opc-request-id"]).toMatch(/^[0-9A-Z]{26}$/);
  });

  it("runs nothing of a body that is not the signed one", async () => {
    const bodySha256 = createHash("sha256").update("signed").digest("base64");
    const { rig, invoke } = await open({}, { authenticate: () => ({ principal: user, bodySha256 }), isRequired: true });
    const { status, body } = await invoke({ body: "another" });
    expect([status, JSON.parse(body).code]).toEqual([401, "NotAuthenticated"]);
    expect(rig.runtime.specs).toEqual([]);
    expect((await invoke({ body: "signed" })).body).toBe("hello signed");
  });

  it.each([
    ["announced", {}],
    ["chunked", { "Transfer-Encoding": "chunked" }],
  ])("refuses a body of more than 6 MiB, %s", async (_, headers: Record<string, string>) => {
    const { rig, invoke } = await open();
    const body = Buffer.alloc(limits.ociInvokeBodyBytesMax + 1, "x");
    const { status, body: told } = await invoke({ body, headers });
    expect([status, JSON.parse(told).code]).toEqual([413, "PayloadTooLarge"]);
    expect(rig.runtime.specs).toEqual([]);
  });

  it("takes a chunked body, and one of just 6 MiB", async () => {
    const answer: Script["answer"] = async ({ response, body }) => void response.end(String((await body()).length));
    const { invoke } = await open({ answer });
    expect((await invoke({ body: "abc", headers: { "Transfer-Encoding": "chunked" } })).body).toBe("3");
    const bytes = limits.ociInvokeBodyBytesMax;
    expect((await invoke({ body: Buffer.alloc(bytes) })).body).toBe(String(bytes));
  });

  it("tells an accepted detached call's id and nothing else", async () => {
    const { invoke } = await open();
    const { status, headers, body } = await invoke({ headers: { "fn-invoke-type": "detached" } });
    expect([status, body]).toEqual([202, ""]);
    expect(headers["fn-call-id"]).toMatch(/^[0-9A-Z]{26}$/);
    expect(headers["opc-request-id"]).toMatch(/^[0-9A-Z]{26}$/);
  });

  it("answers a dry run 200 without a body", async () => {
    const { rig, invoke } = await open();
    const { status, headers, body } = await invoke({ body: "x", headers: { "is-dry-run": "true" } });
    expect([status, body, headers["content-length"]]).toEqual([200, "", "0"]);
    expect(headers["opc-request-id"]).toMatch(/^[0-9A-Z]{26}$/);
    expect(rig.calls).toEqual([]);
  });
});

interface Failure {
  readonly says: string;
  readonly script: Partial<Script>;
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly advanceMs?: number;
}

const answers = (status: number) => async (call: ScriptedCall) => {
  await call.body();
  call.response.writeHead(status).end();
};
const raw =
  (bytes: string): Script["answer"] =>
  ({ socket }) =>
    void socket.write(bytes, "latin1");

const failures: readonly Failure[] = [
  {
    ...{ says: "throws", script: { answer: answers(502) } },
    ...{ status: 502, code: "FunctionInvokeExecutionFailed", message: "function failed" },
  },
  {
    ...{ says: "sleeps past its timeout", script: { answer: () => {} }, advanceMs: 3_100 },
    ...{ status: 504, code: "FunctionInvokeTimeout", message: "Timed out" },
  },
  {
    ...{ says: "reports a timeout", script: { answer: answers(504) } },
    ...{ status: 504, code: "FunctionInvokeTimeout", message: "Timed out" },
  },
  {
    ...{ says: "answers 404", script: { answer: answers(404) } },
    ...{ status: 502, code: "FunctionInvokeInvalidResponse", message: "invalid function response" },
  },
  {
    ...{ says: "exits", script: { answer: ({ instance }: ScriptedCall) => instance.exit({ code: 7 }) } },
    ...{ status: 502, code: "FunctionInvokeExecutionError", message: "error receiving function response" },
  },
  {
    says: "runs out of memory",
    script: { answer: ({ instance }: ScriptedCall) => instance.exit({ signal: "SIGKILL", isOutOfMemory: true }) },
    ...{ status: 502, code: "FunctionInvokeExecutionFailed", message: "function failed" },
  },
  {
    ...{ says: "answers too much", script: { answer: raw("HTTP/1.1 200 OK\r\nContent-Length: 3221225472\r\n\r\n") } },
    status: 502,
    ...{ code: "FunctionInvokeResponseBodyTooLarge", message: "function response body too large" },
  },
  {
    ...{
      says: "sends too many headers",
      script: { answer: raw(`HTTP/1.1 200 OK\r\nX: ${"a".repeat(100_000)}\r\n\r\n`) },
    },
    status: 502,
    ...{ code: "FunctionInvokeResponseHeaderTooLarge", message: "function response header too large" },
  },
  {
    says: "has an image that cannot be had",
    script: { start: async () => ({ kind: "image-unavailable", reason: "no" }) },
    ...{ status: 502, code: "FunctionInvokeImageNotAvailable", message: "Failed to pull function image" },
  },
  {
    ...{ says: "ends at its start", script: { start: async () => ({ kind: "failed", how: "exit code 1" }) } },
    ...{ status: 502, code: "FunctionInvokeContainerInitFail" },
    message: "Container failed to initialize, please ensure you are using the latest fdk and check the logs",
  },
  {
    ...{ says: "never listens", script: { start: async () => ({ kind: "timed-out" }) } },
    ...{ status: 504, code: "FunctionInvokeContainerInitTimeout" },
    message: "Container initialization timed out, please ensure you are using the latest fdk and check the logs",
  },
];

describe.each(failures)("invokeFunction of a function that $says", ({ script, advanceMs, ...failure }) => {
  it("answers as OCI does, with our reason beside it", async () => {
    const { rig, invoke } = await open(script);
    const answered = invoke({ headers: { "opc-request-id": "mine" } });
    if (advanceMs !== undefined) {
      await rig.until(() => [...rig.runtime.instances].some(({ calls }) => calls > 0));
      await rig.clock.advance(advanceMs);
    }
    const { status, headers, body } = await answered;
    const { code, message, ...ours } = JSON.parse(body);
    expect({ status, code, message }).toEqual({
      status: failure.status,
      code: failure.code,
      message: failure.message,
    });
    expect(headers).toMatchObject({ "content-type": "application/json", "opc-request-id": "mine" });
    expect(ours).toEqual({
      detail: expect.stringMatching(/\w/),
      hint: expect.stringMatching(/\w/),
      callId: headers["fn-call-id"],
    });
  });
});

it("invokeFunction refuses what has no room as OCI does", async () => {
  const { rig, invoke } = await open({ answer: () => {} });
  await rig.invocation.drain(0);
  const { status, body } = await invoke();
  expect([status, JSON.parse(body).code]).toEqual([503, "ServiceUnavailable"]);
});
