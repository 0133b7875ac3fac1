import { connect, createServer, type Server } from "node:net";
import { limits } from "@chaya/contract";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Inspector, InstanceSpec } from "../../drivers/runtime/driver.ts";
import { noAudit } from "../../http/audit.ts";
import { administratorOnly } from "../../http/authorize.ts";
import { type ControlServer, createControlServer } from "../../http/control/control-server.ts";
import { silentLogger } from "../../kernel/logger.ts";
import { InvocationRig } from "../../testing/invocation-rig.ts";
import { RawClient } from "../../testing/raw-http.ts";
import type { ScriptedCall } from "../../testing/scripted-runtime.ts";
import { startTestFront, type TestFront } from "../../testing/test-front.ts";
import type { FunctionRecord } from "../model.ts";

describe("an inspected call", () => {
  let rig: InvocationRig;
  let control: ControlServer;
  let front: TestFront;
  let fn: FunctionRecord;
  /** What an inspector would be: it says back what it hears. */
  let echo: Server;
  let answer: (call: ScriptedCall) => void | Promise<void>;
  /** A debugger lets the start go on. */
  let attached: PromiseWithResolvers<void>;
  const clients: RawClient[] = [];

  beforeEach(async () => {
    attached = Promise.withResolvers();
    answer = ({ response }) => void response.end("debugged");
    echo = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
    rig = await InvocationRig.open({ answer: (call) => answer(call), start: (spec, signal) => wait(spec, signal) });
    rig.runtime.abilities = { ...rig.runtime.abilities, inspects: true };
    const { clock, invocation } = rig;
    const deps = {
      clock,
      logger: silentLogger(),
      reached: async () => {},
      authorize: administratorOnly,
      audit: noAudit,
    };
    control = await createControlServer(deps, invocation.routes);
    front = await startTestFront([...control.served, ...invocation.streams], { clock });
    fn = rig.addFunction("slow", { timeoutS: 1 });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) await client[Symbol.asyncDispose]();
    await front[Symbol.asyncDispose]();
    await control[Symbol.asyncDispose]();
    await rig[Symbol.asyncDispose]();
    echo.close();
  });

  async function wait(spec: InstanceSpec, signal: AbortSignal) {
    if (spec.onInspector === undefined) return undefined;
    const address = echo.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const inspector: Inspector = { connect: async () => connect(port, "127.0.0.1") };
    spec.onInspector(inspector);
    const aborted = new Promise<"aborted">((resolve) => signal.addEventListener("abort", () => resolve("aborted")));
    const outcome = await Promise.race([attached.promise, aborted]);
    return outcome === "aborted" ? ({ kind: "aborted" } as const) : undefined;
  }

  async function ask(text: string): Promise<RawClient> {
    const client = await RawClient.connect(front.port);
    clients.push(client);
    return client.send(text);
  }

  const post = (path: string, body = "") =>
    ask(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`);

  async function prepare(id = fn.id): Promise<{ readonly status: number; readonly view: { readonly id: string } }> {
    const given = await (await post(`/chaya/v1/functions/${id}/inspections`)).answer();
    return { status: given?.status ?? 0, view: JSON.parse(given?.body || "{}") };
  }

  async function begin(): Promise<{ readonly id: string; readonly call: RawClient }> {
    const { id } = (await prepare()).view;
    return { id, call: await post(`/chaya/v1/inspections/${id}/call`, "{}") };
  }

  const inspector = (id: string) =>
    ask(
      `GET /chaya/v1/inspections/${id}/inspector HTTP/1.1\r\nHost: localhost\r\n` +
        "Connection: Upgrade\r\nUpgrade: chaya-inspector\r\n\r\n",
    );

  const codeOf = async (client: RawClient) => JSON.parse((await client.answer())?.body ?? "").code;

  async function connected(id: string): Promise<RawClient> {
    const client = await inspector(id);
    expect((await client.answer())?.status).toBe(101);
    return client;
  }

  it("has no deadline but its own, while it starts and while it runs, and the function is told of that one", async () => {
    const arrived = Promise.withResolvers<ScriptedCall>();
    answer = arrived.resolve;
    const { id, call } = await begin();
    await connected(id);
    await rig.clock.advance(600_000);
    attached.resolve();
    const { request, response } = await arrived.promise;
    const deadlineMs = Date.parse(String(request.headers["fn-deadline"]));
    expect(deadlineMs - rig.clock.nowMs()).toBe(limits.inspectionMsMax);
    await rig.clock.advance(600_000);
    response.end("at last");
    expect(await call.answer()).toMatchObject({ status: 200, body: "at last" });
    await rig.until(() => rig.runtime.instances.size === 0);
  });

  it("ends after an hour, wherever it is then", async () => {
    const { id, call } = await begin();
    await connected(id);
    await rig.clock.advance(limits.inspectionMsMax);
    expect(await call.answer()).toMatchObject({ status: 504, body: expect.stringContaining("--inspect") });
    expect(await codeOf(await inspector(id))).toBe("inspection-not-found");
  });

  it("passes bytes to the inspector and back, and closes the connection with the instance", async () => {
    const { id, call } = await begin();
    const debug = await connected(id);
    debug.send("hello inspector");
    await expect.poll(() => debug.rest).toBe("hello inspector");
    call.socket.destroy();
    await debug.closed;
    expect(await codeOf(await inspector(id))).toBe("inspection-not-found");
  });

  it("holds no other start up while it waits for a debugger", async () => {
    const begun = await Promise.all([begin(), begin(), begin()]);
    for (const { id } of begun) await connected(id);
    const other = rig.addFunction("other");
    expect((await rig.invoke(other)).status).toBe(200);
  });

  it("leaves the function's own instances alone, and takes none of them", async () => {
    expect((await rig.invoke(fn)).body).toBe("debugged");
    const [own] = rig.runtime.instances;
    const { id, call } = await begin();
    await connected(id);
    attached.resolve();
    expect(await call.answer()).toMatchObject({ status: 200, body: "debugged" });
    await rig.until(() => rig.runtime.instances.size === 1);
    expect([...rig.runtime.instances]).toEqual([own]);
    expect(own?.calls).toBe(1);
  });

  it("ends with whoever asked for it, while it waits and while it runs", async () => {
    const waiting = await begin();
    await connected(waiting.id);
    waiting.call.socket.destroy();
    await rig.observed(({ status, problem }) => status === "cancelled" && problem?.code === "client-gone");

    attached.resolve();
    const arrived = Promise.withResolvers<ScriptedCall>();
    answer = arrived.resolve;
    const running = await begin();
    await arrived.promise;
    running.call.socket.destroy();
    await rig.until(() => rig.runtime.instances.size === 0);
  });

  it("is told that the server stops, at once: nobody waits for a person", async () => {
    const { id, call } = await begin();
    await connected(id);
    const drained = rig.invocation.drain(limits.drainMs);
    expect(await call.answer()).toMatchObject({ status: 503, body: expect.stringContaining("server-draining") });
    await drained;
  });

  it("is recorded as every call is", async () => {
    attached.resolve();
    const { call } = await begin();
    await call.answer();
    const record = await rig.observed(({ status }) => status === "succeeded");
    expect(record).toMatchObject({ functionName: "slow", source: "direct", isColdStart: true });
  });

  it("fails as every call does, in our dialect", async () => {
    attached.resolve();
    answer = ({ instance }) => instance.exit({ code: 3 });
    const { call } = await begin();
    expect(await call.answer()).toMatchObject({ status: 502, body: expect.stringContaining('"function-crashed"') });
    await rig.until(() => rig.runtime.instances.size === 0);
  });

  it("is one call: another needs another inspection", async () => {
    const { id } = await begin();
    await connected(id);
    expect(await codeOf(await post(`/chaya/v1/inspections/${id}/call`))).toBe("inspection-used");
  });

  it("is forgotten when its call does not come", async () => {
    const { id } = (await prepare()).view;
    const early = await inspector(id);
    await rig.clock.advance(limits.inspectionUnusedMsMax);
    expect(await codeOf(early)).toBe("inspection-not-found");
    expect(await codeOf(await post(`/chaya/v1/inspections/${id}/call`))).toBe("inspection-not-found");
  });

  it("is refused beyond so many, for no function, and by a runtime that cannot", async () => {
    expect(await prepare("01NOSUCHFUNCTION")).toMatchObject({ status: 404, view: { code: "function-not-found" } });
    for (let count = 0; count < limits.inspectionsPerNodeMax; count++) expect((await prepare()).status).toBe(200);
    expect(await prepare()).toMatchObject({ status: 429, view: { code: "inspections-exhausted" } });
    rig.runtime.abilities = { isolation: "none", limitsMemory: false, endsEscapees: true };
    expect(await prepare()).toMatchObject({ status: 400, view: { code: "inspection-unavailable" } });
  });
});
