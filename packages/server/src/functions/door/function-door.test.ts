import { type AnyRoute, limits, Problem, route } from "@chaya/contract";
import { InstanceView } from "@chaya/contract/chaya";
import { allRoutes } from "@chaya/contract/openapi";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { StartResult } from "../../drivers/runtime/driver.ts";
import type { Authenticate } from "../../http/authenticate.ts";
import type { Exchange } from "../../http/exchange.ts";
import { createIds } from "../../kernel/ids.ts";
import { Lifetime } from "../../kernel/lifetime.ts";
import { silentLogger } from "../../kernel/logger.ts";
import { seededRandom } from "../../kernel/random.ts";
import { ambiguousRequests } from "../../testing/ambiguous-requests.ts";
import { InvocationRig, openStore, type RigOptions, turn } from "../../testing/invocation-rig.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { exchangeRaw, RawClient } from "../../testing/raw-http.ts";
import { ScriptedDoor, type ScriptedInstance } from "../../testing/scripted-runtime.ts";
import type { OpenTestStore } from "../../testing/stores.ts";
import { dataDoor, echo } from "../../testing/test-front.ts";
import { type DoorRoute, type DoorService, FunctionDoor, type FunctionDoorDeps } from "./function-door.ts";
import type { InstanceDoor, InstanceDoorOptions } from "./instance-door.ts";
import { instanceRoute } from "./instance-route.ts";

const lifetimes: Lifetime[] = [];
let opened: OpenTestStore;
beforeAll(async () => {
  opened = await openStore();
});
afterAll(() => opened[Symbol.asyncDispose]());
afterEach(async () => {
  for (const lifetime of lifetimes.splice(0)) await lifetime[Symbol.asyncDispose]();
});

function owned(): Lifetime {
  const lifetime = new Lifetime();
  lifetimes.push(lifetime);
  return lifetime;
}

async function open(options: RigOptions = {}): Promise<InvocationRig> {
  return owned().own(await InvocationRig.open({ opened, ...options }));
}

/** Calls that end when the test says so. */
class Gate {
  readonly running: { readonly id: string; readonly instance: ScriptedInstance; finish(): void }[] = [];
  readonly answer: NonNullable<RigOptions["answer"]> = ({ request, response, instance }) => {
    const id = String(request.headers["fn-call-id"]);
    this.running.push({ id, instance, finish: () => void response.end() });
  };
}

const get = (headers = "", path = "/chaya/v1/instance") =>
  `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n${headers}\r\n`;

async function viewAt(port: number, headers = ""): Promise<InstanceView> {
  const answer = await exchangeRaw(port, get(headers));
  expect(answer?.status, answer?.body).toBe(200);
  return InstanceView()
    .strict()
    .parse(JSON.parse(answer?.body ?? ""));
}

/** Whether a new connection is refused: it ends without a byte, however a request is put on it. */
async function isRefused(port: number): Promise<boolean> {
  return (await exchangeRaw(port, get())) === undefined;
}

describe("an instance that asks at its door", () => {
  it("learns what it is, and nothing of it is configuration or secret", async () => {
    const rig = await open({ deps: { readSecrets: async () => ({ TOKEN: "hidden-token" }) } });
    const fn = rig.addFunction("photo", { memoryMiB: 256, config: { SETTING: "hidden-setting" } });
    await rig.invoke(fn);
    const [instance] = rig.runtime.instances;
    const answer = await exchangeRaw((await instance?.doorPort) ?? 0, get());
    expect(answer?.headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(JSON.parse(answer?.body ?? "")).toEqual({
      id: instance?.id,
      functionId: fn.id,
      function: "photo",
      applicationId: fn.applicationId,
      application: "app",
      image: fn.image,
      memoryMiB: 256,
      region: "us-ashburn-1",
      startedAt: new Date(rig.clock.nowMs()).toISOString(),
    });
    expect(answer?.body).not.toContain("hidden");
  });

  it("is the one whose connection it is, whatever it sends", async () => {
    const rig = await open();
    const names = ["one", "two", "three"];
    for (const name of names) await rig.invoke(rig.addFunction(name));
    const instances = [...rig.runtime.instances];
    const [other] = instances;
    const forged = `Chaya-Instance: ${other?.id}\r\nFn-Call-Id: x\r\nX-Forwarded-For: 10.0.0.1\r\nForwarded: for=${other?.id}\r\n`;
    for (const instance of instances) {
      const view = await viewAt(await instance.doorPort, forged);
      expect(view).toMatchObject({ id: instance.id, functionId: instance.spec.functionId });
      const path = `/chaya/v1/instance?id=${other?.id}&functionId=x`;
      const queried = await exchangeRaw(await instance.doorPort, get("", path));
      expect(JSON.parse(queried?.body ?? "")).toEqual(view);
    }
    expect(new Set(instances.map((instance) => instance.spec.functionName))).toEqual(new Set(names));
  });

  it("learns its call while it is busy with exactly one", async () => {
    const gate = new Gate();
    const rig = await open({ answer: gate.answer });
    const fn = rig.addFunction("busy", { settings: { concurrency: 2 } });
    const calls = [rig.invoke(fn)];
    await rig.until(() => gate.running.length === 1);
    const port = (await gate.running[0]?.instance.doorPort) ?? 0;
    expect((await viewAt(port)).callId).toBe(gate.running[0]?.id);
    calls.push(rig.invoke(fn));
    await rig.until(() => gate.running.length === 2);
    expect(rig.runtime.instances.size).toBe(1);
    expect((await viewAt(port)).callId).toBeUndefined();
    for (const call of gate.running) call.finish();
    await Promise.all(calls);
    await rig.until(async () => (await viewAt(port)).callId === undefined);
  });

  it("may ask before it listens", async () => {
    const rig = await open();
    let asked: InstanceView | undefined;
    rig.script.start = async (spec) => {
      const door = new ScriptedDoor(spec);
      asked = await viewAt(await door.port);
      await door.close();
      return undefined;
    };
    const fn = rig.addFunction("early");
    await rig.invoke(fn);
    expect(asked).toMatchObject({ id: rig.runtime.specs[0]?.instanceId, function: "early" });
    expect(asked?.callId).toBeUndefined();
  });

  it("is answered as often as it asks on one connection", async () => {
    const { port } = await startDoor();
    await using client = await RawClient.connect(port);
    client.send(get().repeat(3));
    for (let number = 0; number < 3; number++) expect((await client.answer())?.status).toBe(200);
    expect((await client.send(get()).answer())?.status).toBe(200);
  });
});

describe("the function door", () => {
  it("has nothing at every path but its own, and says what it has", async () => {
    const { port } = await startDoor();
    const others = Object.values(allRoutes).filter(({ door }) => door !== "function");
    expect(others.length).toBeGreaterThan(30);
    for (const { method, path, dialect } of others) {
      const verb = method === "ANY" ? "GET" : method;
      const answer = await exchangeRaw(
        port,
        `${verb} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`,
      );
      expect({ path, status: answer?.status }).toEqual({ path, status: 404 });
      if (dialect === "oci") continue;
      expect(answer?.headers["content-type"]).toBe("application/problem+json");
      expect(JSON.parse(answer?.body ?? "")).toMatchObject({
        code: "door-path-not-found",
        hint: "It serves GET /chaya/v1/instance, and nothing else.",
      });
    }
    for (const path of ["/chaya/v1/instance/", "/chaya/v1//instance", "/chaya/v1/%69nstance", "/CHAYA/v1/instance"])
      expect((await exchangeRaw(port, get("", path)))?.status).toBe(404);
  });

  it("takes no other method there", async () => {
    const { port } = await startDoor();
    const answer = await exchangeRaw(port, get().replace("GET", "DELETE"));
    expect(answer).toMatchObject({ status: 405, headers: { allow: "GET" } });
    expect(JSON.parse(answer?.body ?? "")).toMatchObject({ code: "method-not-allowed" });
  });

  it("serves any route it is given", async () => {
    const { port } = await startDoor({ routes: [instanceRoute("here"), dataDoor("/n/{rest...}", echo)] });
    const request = "PUT /n/a/b?c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    expect((await exchangeRaw(port, request))?.body).toBe('{"method":"PUT","path":"/n/a/b","query":"c","bytes":5}');
    expect((await viewAt(port)).region).toBe("here");
    const hint = "It serves GET /chaya/v1/instance, ANY /n/{rest...}, and nothing else.";
    expect(JSON.parse((await exchangeRaw(port, get("", "/x")))?.body ?? "")).toMatchObject({ hint });
  });

  it.each([
    ["127.0.0.1", 200],
    ["127.0.0.1:1", 200],
    ["localhost:54321", 200],
    ["LOCALHOST", 200],
    ["127.0.0.2", 421],
    ["[::1]:80", 421],
    ["rebound.example", 421],
    ["localhost.rebound.example", 421],
    ["127.0.0.1.rebound.example", 421],
    ["127.0.0.1:80:80", 421],
    ["user@127.0.0.1", 421],
    ["", 421],
  ])("asked for as %j answers %i: names can be rebound to it", async (host, status) => {
    const { port } = await startDoor();
    const answer = await exchangeRaw(port, `GET /chaya/v1/instance HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(answer?.status).toBe(status);
    if (status === 421) expect(JSON.parse(answer?.body ?? "")).toMatchObject({ code: "host-unknown", host });
  });

  it.each([
    ["a page", "Origin: http://localhost:3000\r\n", 403, "origin-refused"],
    ["a sandboxed page", "Origin: null\r\n", 403, "origin-refused"],
    ["a page that leaves its name out", "Sec-Fetch-Site: cross-site\r\n", 403, "origin-refused"],
    ["someone with credentials of their own", "Authorization: Signature x\r\n", 401, "credentials-invalid"],
  ])("refuses %s", async (_who, headers, status, code) => {
    const { port } = await startDoor();
    const answer = await exchangeRaw(port, get(headers));
    expect(answer?.status).toBe(status);
    expect(JSON.parse(answer?.body ?? "")).toMatchObject({ code });
  });

  it("refuses processes of other users, where they could have come in", async () => {
    const peerUid = async () => (process.getuid?.() ?? 0) + 1;
    const shared = await startDoor({ deps: { peerUid } });
    expect(await exchangeRaw(shared.port, get())).toMatchObject({ status: 403 });
    const alone = await startDoor({ deps: { peerUid }, options: { isPrivate: true } });
    expect(await exchangeRaw(alone.port, get())).toMatchObject({ status: 200 });
  });
});

describe("OCI's APIs at the door", () => {
  const thing = (path: string, dialect: "oci" | "fn" = "oci"): AnyRoute =>
    route({ method: "GET", path, dialect, door: "control", summary: "A thing.", problems: [] });
  const tellWho = ({ response, principal }: Exchange) => void response.end(`${principal.kind} ${principal.id}`);
  const routes = ["/20181201/things/{id}", "/20160918/things", "/20181201/others"].map((path) => {
    return { route: thing(path), serve: tellWho };
  });
  /** Believes whoever says who it is. */
  const authenticate: Authenticate = ({ headers }) => {
    const { authorization } = headers;
    if (authorization === undefined) return undefined;
    const [, scheme, id] = /^(Signature|Bearer) (\w+)$/.exec(authorization) ?? [];
    if (id === undefined) throw new Problem("credentials-invalid");
    const kind = scheme === "Signature" && id.startsWith("F") ? "resource" : "user";
    return { principal: { kind, id, name: id } };
  };
  const service = { routes, authenticate };

  it("are asked as nobody without a signature, and as its function with the function's own", async () => {
    const { port } = await startDoor({ service });
    const ask = (headers: string) => exchangeRaw(port, get(headers, "/20181201/things/1"));
    expect(await ask("")).toMatchObject({ status: 200, body: "anonymous anonymous" });
    expect(await ask("Authorization: Signature F\r\n")).toMatchObject({ status: 200, body: "resource F" });
  });

  it.each([
    ["another function's token", "Signature F2"],
    ["a user's key", "Signature U"],
    ["a token of a user", "Bearer U"],
    ["a token that names the function", "Bearer F"],
    ["what is no credential", "Basic F"],
  ])("take no %s", async (_what, authorization) => {
    const { port } = await startDoor({ service });
    const answer = await exchangeRaw(port, get(`Authorization: ${authorization}\r\n`, "/20181201/things/1"));
    expect(answer).toMatchObject({ status: 401, headers: { "content-type": "application/json" } });
    expect(JSON.parse(answer?.body ?? "")).toMatchObject({ code: "NotAuthenticated" });
  });

  it("leave our own routes to the door itself, which takes no credentials there", async () => {
    const { port } = await startDoor({ service });
    expect((await viewAt(port)).functionId).toBe("F");
    expect((await exchangeRaw(port, get("Authorization: Signature F\r\n")))?.status).toBe(401);
  });

  it("are for no page and no process of another user, whatever they can sign", async () => {
    const peerUid = async () => (process.getuid?.() ?? 0) + 1;
    const { port } = await startDoor({ service, deps: { peerUid } });
    const signed = "Authorization: Signature F\r\n";
    expect((await exchangeRaw(port, get(signed, "/20181201/others")))?.status).not.toBe(200);
    const { port: own } = await startDoor({ service });
    expect((await exchangeRaw(own, get(`${signed}Origin: null\r\n`, "/20181201/others")))?.status).not.toBe(200);
  });

  it("are what an instance is told that there is, beside our own routes", async () => {
    const { port } = await startDoor({ service });
    expect(JSON.parse((await exchangeRaw(port, get("", "/x")))?.body ?? "")).toMatchObject({
      hint: "It serves GET /chaya/v1/instance, OCI's APIs below /20160918 and /20181201, and nothing else.",
    });
    const unknown = await exchangeRaw(port, get("", "/20181201/nothing"));
    expect(unknown).toMatchObject({ status: 404, headers: { "content-type": "application/json" } });
  });
});

describe("requests at the door that two servers could read differently", () => {
  it.each(Object.entries(ambiguousRequests("/n/a")))("are refused: %s", async (_, [status, request]) => {
    const { port } = await startDoor({ routes: [dataDoor("/n/{rest...}", echo)] });
    await using client = await RawClient.connect(port);
    const answer = await client.send(request).answer();
    expect(answer).toMatchObject({ status, headers: { connection: "close" } });
    expect(answer?.headers["content-type"]).toBe("application/problem+json");
    expect(client.rest).toBe("");
    client.socket.end();
    await client.closed;
  });
});

describe("the limits of the door", () => {
  it("keep an instance from holding more connections than it needs, and others do not notice", async () => {
    const rig = await open();
    for (const name of ["greedy", "modest"]) await rig.invoke(rig.addFunction(name));
    const [greedy, modest] = [...rig.runtime.instances];
    const port = (await greedy?.doorPort) ?? 0;
    const held: RawClient[] = [];
    for (let count = 0; count < limits.doorConnectionsPerInstanceMax; count++) {
      const client = await RawClient.connect(port);
      expect((await client.send(get()).answer())?.status).toBe(200);
      held.push(client);
    }
    expect([await isRefused(port), await isRefused(port)]).toEqual([true, true]);
    expect(await viewAt((await modest?.doorPort) ?? 0)).toMatchObject({ function: "modest" });
    const said = rig.lines.filter((line) => line.stream === "platform");
    expect(said.map((line) => [line.functionName, Buffer.from(line.bytes).toString()])).toEqual([
      ["greedy", "connections to OCI_LOCAL_ENDPOINT beyond 128 at once are closed: reuse them"],
    ]);
    await held.pop()?.[Symbol.asyncDispose]();
    await rig.until(async () => !(await isRefused(port)));
    for (const client of held) await client[Symbol.asyncDispose]();
  });

  it("end connections that stand still within a head, whichever it is, trickled or not", async () => {
    const { port, clock } = await startDoor();
    await using silent = await RawClient.connect(port);
    await using partial = await RawClient.connect(port);
    await using second = await RawClient.connect(port);
    partial.send("GET /chaya/v1/ins");
    expect((await second.send(get()).answer())?.status).toBe(200);
    second.send("GET /chaya");
    const clients = [silent, partial, second];
    const startedMs = clock.monotonicMs();
    const answers = Promise.all(clients.map((client) => client.answer()));
    for (const answer of await advanceUntil(clock, answers, () => second.send("x"))) {
      expect(answer?.status).toBe(408);
      expect(JSON.parse(answer?.body ?? "")).toMatchObject({ code: "request-stalled" });
    }
    expect(clock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(limits.headersTimeoutMs);
    await clock.advance(limits.lingerMs + 1_000);
    await Promise.all([silent.closed, partial.closed, second.closed]);
  });

  it("end bodies that stand still", async () => {
    const { port, clock } = await startDoor({
      routes: [dataDoor("/n/{rest...}", echo)],
      options: { isPrivate: true },
    });
    await using client = await RawClient.connect(port);
    client.send("POST /n/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf");
    expect((await advanceUntil(clock, client.answer()))?.status).toBe(408);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(limits.bodyStallMs);
  });

  it("are not wide enough for a body that nobody wants", async () => {
    const { port } = await startDoor();
    await using client = await RawClient.connect(port);
    client.send(get("Content-Length: 1000000000\r\n"));
    expect((await client.answer())?.status).toBe(200);
    client.send("x".repeat(limits.refusedBodyBytesMax + 1));
    await client.closed;
  });
});

describe("a door that is revoked", () => {
  it("has ended its connections and takes no new ones while its instance is still being destroyed", async () => {
    const gate = new Gate();
    const rig = await open({ answer: gate.answer });
    const fn = rig.addFunction("slow", { timeoutS: 1 });
    const call = rig.invoke(fn);
    await rig.until(() => gate.running.length === 1);
    const instance = gate.running[0]?.instance;
    const port = (await instance?.doorPort) ?? 0;
    await using client = await RawClient.connect(port);
    expect((await client.send(get()).answer())?.status).toBe(200);
    const { promise: gone, resolve: finish } = Promise.withResolvers<void>();
    if (instance !== undefined) instance.lingers = gone;
    let isAnswered = false;
    void call.then(() => {
      isAnswered = true;
    });
    await rig.clock.advance(1_100);
    await client.closed;
    expect(await isRefused(port)).toBe(true);
    expect(isAnswered).toBe(false);
    finish();
    expect((await call).status).toBe(504);
  });

  it("goes with an instance that ends by itself", async () => {
    const rig = await open();
    await rig.invoke(rig.addFunction("brief"));
    const [instance] = rig.runtime.instances;
    const port = (await instance?.doorPort) ?? 0;
    const { promise: gone, resolve: finish } = Promise.withResolvers<void>();
    if (instance !== undefined) instance.lingers = gone;
    await using client = await RawClient.connect(port);
    expect((await client.send(get()).answer())?.status).toBe(200);
    instance?.exit({ code: 0 });
    await client.closed;
    expect(await isRefused(port)).toBe(true);
    finish();
  });

  it("outlives a deploy until the last call of its instance", async () => {
    const gate = new Gate();
    const rig = await open({ answer: gate.answer });
    const fn = rig.addFunction("old", { image: "v1" });
    const call = rig.invoke(fn);
    await rig.until(() => gate.running.length === 1);
    const port = (await gate.running[0]?.instance.doorPort) ?? 0;
    rig.directory.changeFunction(fn.id, { image: "v2" });
    expect(await viewAt(port)).toMatchObject({ image: "v1", callId: gate.running[0]?.id });
    await using client = await RawClient.connect(port);
    gate.running[0]?.finish();
    await call;
    await client.closed;
  });

  it.each<[string, StartResult | Error]>([
    ["fails", { kind: "failed", how: "it ended" }],
    ["takes too long", { kind: "timed-out" }],
    ["breaks the runtime", new Error("as told")],
  ])("goes with a start that %s", async (_, result) => {
    const rig = await open();
    const doors: ScriptedDoor[] = [];
    rig.script.start = async (spec) => {
      doors.push(new ScriptedDoor(spec));
      if (result instanceof Error) throw result;
      return result;
    };
    await rig.invoke(rig.addFunction("failing"));
    const port = (await doors[0]?.port) ?? 0;
    expect(await isRefused(port)).toBe(true);
    await doors[0]?.close();
  });

  it("goes with a start that is aborted, before that has ended", async () => {
    const rig = await open();
    const doors: ScriptedDoor[] = [];
    const { promise: gone, resolve: finish } = Promise.withResolvers<undefined>();
    rig.script.start = async (spec) => {
      if (spec.image !== "v1") return undefined;
      doors.push(new ScriptedDoor(spec));
      return gone;
    };
    const fn = rig.addFunction("changed", { image: "v1" });
    const call = rig.invoke(fn);
    await rig.until(() => doors.length === 1);
    const port = (await doors[0]?.port) ?? 0;
    expect(await viewAt(port)).toMatchObject({ image: "v1" });
    rig.directory.changeFunction(fn.id, { image: "v2" });
    expect(await isRefused(port)).toBe(true);
    finish(undefined);
    expect((await call).status).toBe(200);
    await doors[0]?.close();
  });

  it("serves nothing that was asked before and let in afterwards", async () => {
    const { promise: uid, resolve: tell } = Promise.withResolvers<"unsupported">();
    let isAsked = false;
    let served = 0;
    const peerUid = () => {
      isAsked = true;
      return uid;
    };
    const counted = dataDoor("/n/{rest...}", () => void served++);
    const { port, door } = await startDoor({ deps: { peerUid }, routes: [counted] });
    await using client = await RawClient.connect(port);
    client.send(get("", "/n/a"));
    while (!isAsked) await turn();
    door.revoke();
    tell("unsupported");
    await client.closed;
    await uid;
    for (let turns = 0; turns < 5; turns++) await turn();
    expect(served).toBe(0);
  });
});

/** Lets a second pass again and again until what is waited for has come. */
async function advanceUntil<T>(clock: ManualClock, awaited: Promise<T>, eachSecond = () => {}): Promise<T> {
  let hasCome = false;
  void awaited.then(() => {
    hasCome = true;
  });
  for (let second = 0; second < 1_000 && !hasCome; second++) {
    eachSecond();
    await clock.advance(1_000);
    for (let turns = 0; turns < 5; turns++) await turn();
  }
  return awaited;
}

interface StartedDoor {
  readonly port: number;
  readonly door: InstanceDoor;
  readonly clock: ManualClock;
}

/** A door without a platform behind it. */
async function startDoor(
  given: {
    readonly deps?: Partial<FunctionDoorDeps>;
    readonly routes?: readonly DoorRoute[];
    readonly service?: Partial<DoorService>;
    readonly options?: Partial<InstanceDoorOptions>;
  } = {},
): Promise<StartedDoor> {
  const lifetime = owned();
  const clock = new ManualClock();
  const deps = { clock, logger: silentLogger(), ids: createIds(clock, seededRandom(1)), ...given.deps };
  const functionDoor = lifetime.own(new FunctionDoor(deps, given.routes ?? [instanceRoute("us-ashburn-1")]));
  functionDoor.serve({ routes: [], authenticate: () => undefined, ...given.service });
  const door = functionDoor.open({ caller, isPrivate: false, onExcess: () => {}, ...given.options });
  const scripted = new ScriptedDoor({ onDoorConnection: door.accept });
  lifetime.onClose(() => scripted.close());
  return { port: await scripted.port, door, clock };
}

const caller = {
  ...{ id: "I", application: { id: "A", name: "app" }, startedAtMs: 0, callId: undefined },
  function: { id: "F", name: "fn", image: "bundle/app/fn:sha256-0", memoryMiB: 128 },
};
