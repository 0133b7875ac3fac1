import { limits } from "@chaya/contract";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { StartResult } from "../drivers/runtime/driver.ts";
import {
  InvocationRig,
  nodeLimits,
  openStore,
  type RigAnswer,
  type RigOptions,
  turn,
} from "../testing/invocation-rig.ts";
import type { ScriptedInstance } from "../testing/scripted-runtime.ts";
import type { OpenTestStore } from "../testing/stores.ts";

const rigs: InvocationRig[] = [];
let opened: OpenTestStore;
beforeAll(async () => {
  opened = await openStore();
});
afterAll(() => opened[Symbol.asyncDispose]());
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig[Symbol.asyncDispose]();
});

async function open(options: RigOptions = {}): Promise<InvocationRig> {
  const rig = await InvocationRig.open({ opened, ...options });
  rigs.push(rig);
  return rig;
}

/** Calls that end when the test says so. */
class Gate {
  readonly running: { readonly instance: ScriptedInstance; finish(): void }[] = [];
  readonly answer: NonNullable<RigOptions["answer"]> = ({ response, instance }) => {
    this.running.push({ instance, finish: () => void response.end(instance.spec.image) });
  };

  finishAll(): void {
    for (const call of this.running.splice(0)) call.finish();
  }
}

function gauge(rig: InvocationRig, name = "worker") {
  return rig.invocation.readGauges().find((gauges) => gauges.functionName === name);
}

function instances(rig: InvocationRig): ScriptedInstance[] {
  return [...rig.runtime.instances];
}

/** Moves the clock until the condition holds, one sweep at a time. */
async function sweepUntil(rig: InvocationRig, condition: () => boolean): Promise<void> {
  for (let sweeps = 0; sweeps < 2_000 && !condition(); sweeps++) {
    await rig.clock.advance(50);
    for (let turns = 0; turns < 3; turns++) await turn();
  }
  expect(condition()).toBe(true);
}

describe("a burst of first calls", () => {
  it("starts a bounded number of instances at once, loses no call, and shares whoever becomes free first", async () => {
    const rig = await open({ answer: ({ response }) => void response.end("ok") });
    const fn = rig.addFunction("worker");
    let waitingMax = 0;
    rig.script.start = async () => {
      await rig.until(() => (gauge(rig)?.waiting ?? 0) + (gauge(rig)?.busy ?? 0) > 100 || waitingMax > 100);
      waitingMax = Math.max(waitingMax, gauge(rig)?.waiting ?? 0);
      return undefined;
    };
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => rig.invoke(fn)));
    expect(new Set(answers.map((answer) => answer.body))).toEqual(new Set(["ok"]));
    expect(new Set(answers.map((answer) => answer.headers["fn-call-id"])).size).toBe(1_000);
    expect(rig.runtime.startsAtOnceMax).toBe(nodeLimits.startsMax);
    expect(rig.runtime.specs.length).toBeLessThanOrEqual(nodeLimits.instancesMax);
  });

  it("starts as many as it may for calls that take long, and the rest waits", async () => {
    const gate = new Gate();
    const rig = await open({ answer: gate.answer });
    const fn = rig.addFunction("worker", { settings: { "max-instances": 3 } });
    const answers = Array.from({ length: 7 }, () => rig.invoke(fn));
    await rig.until(() => gate.running.length === 3 && gauge(rig)?.waiting === 4);
    expect(gauge(rig)).toMatchObject({ busy: 3, idle: 0, starting: 0, waiting: 4 });
    gate.finishAll();
    await rig.until(() => gate.running.length === 3);
    gate.finishAll();
    await rig.until(() => gate.running.length === 1);
    gate.finishAll();
    expect((await Promise.all(answers)).map((answer) => answer.status)).toEqual(Array(7).fill(200));
    expect(rig.runtime.specs).toHaveLength(3);
  });
});

describe("several nodes", () => {
  it("share a function's maximum", async () => {
    const gate = new Gate();
    let nodes = 3;
    const rig = await open({ answer: gate.answer, deps: { liveNodes: () => nodes } });
    const fn = rig.addFunction("worker", { settings: { "max-instances": 4 } });
    const answers = Array.from({ length: 5 }, () => rig.invoke(fn));
    await rig.until(() => gate.running.length === 2 && gauge(rig)?.waiting === 3);
    nodes = 1;
    await rig.clock.advance(50);
    await rig.until(() => gate.running.length === 4 && gauge(rig)?.waiting === 1);
    gate.finishAll();
    await rig.until(() => gate.running.length === 1);
    gate.finishAll();
    expect((await Promise.all(answers)).map((answer) => answer.status)).toEqual(Array(5).fill(200));
  });
});

describe("idle instances", () => {
  it("are taken newest first, so that the others can end", async () => {
    const gate = new Gate();
    const rig = await open({ answer: gate.answer });
    const fn = rig.addFunction("worker", { idleTimeoutS: 10 });
    const two = [rig.invoke(fn), rig.invoke(fn)];
    await rig.until(() => gate.running.length === 2);
    const newest = gate.running[1]?.instance;
    gate.running[0]?.finish();
    await two[0];
    await rig.until(() => gauge(rig)?.idle === 1);
    gate.running[1]?.finish();
    await two[1];
    await rig.until(() => gauge(rig)?.idle === 2);
    gate.running.length = 0;
    for (let round = 0; round < 12; round++) {
      const call = rig.invoke(fn);
      await rig.until(() => gate.running.length === 1);
      expect(gate.running[0]?.instance).toBe(newest);
      gate.finishAll();
      await call;
      await rig.clock.advance(1_000);
    }
    await rig.until(() => rig.runtime.instances.size === 1);
    await rig.clock.advance(10_100);
    await rig.until(() => rig.runtime.instances.size === 0);
  });

  it("are kept up to the minimum, from the start and after an end", async () => {
    const rig = await open();
    const fn = rig.addFunction("worker", { idleTimeoutS: 1, settings: { "min-instances": 2 } });
    await rig.until(() => rig.runtime.instances.size === 2);
    await rig.invoke(fn);
    await rig.clock.advance(60_000);
    expect(rig.runtime.instances.size).toBe(2);
    instances(rig)[0]?.exit({ code: 0 });
    await sweepUntil(rig, () => rig.runtime.specs.length === 3 && rig.runtime.instances.size === 2);
    rig.directory.changeFunction(fn.id, { settings: { "min-instances": 0 } });
    await sweepUntil(rig, () => rig.runtime.instances.size === 0);
  });

  it("make room for other functions, the least recently used first", async () => {
    const rig = await open({ deps: { limits: { ...nodeLimits, memoryMiBMax: 300 } } });
    const [old, recent, late] = ["old", "recent", "late"].map((name) => rig.addFunction(name));
    for (const fn of [old, recent]) {
      await rig.invoke(fn as { id: string });
      await rig.until(() => gauge(rig, fn?.name)?.idle === 1);
      await rig.clock.advance(100);
    }
    expect((await rig.invoke(late as { id: string })).status).toBe(200);
    expect(instances(rig).map((instance) => instance.spec.functionName)).toEqual(["recent", "late"]);
  });
});

describe("a call that waits", () => {
  it("is refused after its function's timeout, with the reason", async () => {
    const gate = new Gate();
    const rig = await open({ answer: gate.answer });
    const fn = rig.addFunction("worker", { timeoutS: 3, settings: { "max-instances": 1 } });
    const first = rig.invoke(fn);
    await rig.until(() => gate.running.length === 1);
    await rig.clock.advance(1_000);
    const second = rig.invoke(fn);
    await rig.until(() => gauge(rig)?.waiting === 1);
    await rig.clock.advance(1_000);
    gate.finishAll();
    await first;
    await rig.until(() => gate.running.length === 1);
    const third = rig.invoke(fn);
    await rig.until(() => gauge(rig)?.waiting === 1);
    await rig.clock.advance(2_500);
    gate.finishAll();
    await second;
    await rig.until(() => gate.running.length === 1);
    expect((await Promise.all([first, second])).map((answer) => answer.status)).toEqual([200, 200]);
    const fourth = rig.invoke(fn);
    await rig.until(() => gauge(rig)?.waiting === 1);
    gate.finishAll();
    await third;
    await rig.until(() => gate.running.length === 1);
    const fifth = rig.invoke(fn);
    await rig.until(() => gauge(rig)?.waiting === 1);
    await rig.clock.advance(3_100);
    const answers = await Promise.all([fourth, fifth]);
    expect(answers.map((answer) => answer.status).sort()).toEqual([503, 504]);
    const refused = answers.find((answer) => answer.status === 503);
    expect(refused?.headers["retry-after"]).toBe("1");
    expect(JSON.parse(refused?.body ?? "")).toMatchObject({
      ...{ message: "Timed out - server too busy", code: "queue-timed-out" },
      detail: expect.stringMatching(/within 3.* s: .*instances/),
    });
  });

  it.each([
    ["memory", { memoryMiBMax: 200 }, /the 200 MiB this node has for functions are in use/],
    ["the node", { instancesMax: 1 }, /this node has 1 instances, the most allowed/],
    ["the application", { instancesPerApplicationMax: 1 }, /its application has 1 instances, the most allowed/],
  ])("is told when %s is used up", async (_name, limit, reason) => {
    const gate = new Gate();
    const rig = await open({ answer: gate.answer, deps: { limits: { ...nodeLimits, ...limit } } });
    const busy = rig.addFunction("busy", { timeoutS: 300 });
    const fn = rig.addFunction("worker", { timeoutS: 1 });
    const first = rig.invoke(busy);
    await rig.until(() => gate.running.length === 1);
    const second = rig.invoke(fn);
    await rig.until(() => gauge(rig)?.waiting === 1);
    await rig.clock.advance(1_100);
    const answer = await second;
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body).detail).toMatch(reason);
    gate.finishAll();
    await first;
  });

  it("gets the room that another function's call gives up", async () => {
    const gate = new Gate();
    const rig = await open({ answer: gate.answer, deps: { limits: { ...nodeLimits, memoryMiBMax: 200 } } });
    const first = rig.invoke(rig.addFunction("busy"));
    await rig.until(() => gate.running.length === 1);
    const second = rig.invoke(rig.addFunction("worker"));
    await rig.until(() => gauge(rig)?.waiting === 1);
    gate.finishAll();
    await first;
    await rig.until(() => gate.running.length === 1);
    gate.finishAll();
    expect((await second).status).toBe(200);
    expect(gauge(rig, "busy")?.idle).toBe(0);
  });

  it("is refused at once when too many wait already", async () => {
    const gate = new Gate();
    const rig = await open({ answer: gate.answer, deps: { limits: { ...nodeLimits, waitingCallsMax: 2 } } });
    const fn = rig.addFunction("worker", { settings: { "max-instances": 1 } });
    const answers = [rig.invoke(fn)];
    await rig.until(() => gate.running.length === 1);
    answers.push(rig.invoke(fn), rig.invoke(fn));
    await rig.until(() => gauge(rig)?.waiting === 2);
    const refused = await rig.invoke(fn);
    expect(refused.status).toBe(503);
    expect(refused.headers["retry-after"]).toBe("1");
    expect(JSON.parse(refused.body)).toMatchObject({ message: "Timed out - server too busy", code: "queue-full" });
    for (let finished = 0; finished < 3; finished++) {
      await rig.until(() => gate.running.length === 1);
      gate.finishAll();
    }
    expect((await Promise.all(answers)).map((answer) => answer.status)).toEqual([200, 200, 200]);
  });
});

describe("the network of an instance", () => {
  it.each([
    ["none", "none", true],
    ["none", "none", false],
    ["outbound", "outbound", true],
    ["outbound", "outbound", false],
    // Cut off by default only where that is possible.
    [undefined, "none", true],
    [undefined, "outbound", false],
  ] as const)("set to %s is %s where the runtime isolates it: %s", async (network, expected, isolatesNetwork) => {
    const rig = await open();
    rig.runtime.abilities = { ...rig.runtime.abilities, isolatesNetwork };
    await rig.invoke(rig.addFunction("worker", { settings: network === undefined ? {} : { network } }));
    expect(rig.runtime.specs).toMatchObject([{ network: expected }]);
  });
});

describe("a change of the function", () => {
  it("leaves calls in flight on their image and gives new ones the new", async () => {
    const gate = new Gate();
    const rig = await open({ answer: gate.answer });
    const fn = rig.addFunction("worker", { image: "v1" });
    const before = rig.invoke(fn);
    await rig.until(() => gate.running.length === 1);
    rig.directory.changeFunction(fn.id, { image: "v2" });
    const after = rig.invoke(fn);
    await rig.until(() => gate.running.length === 2);
    rig.directory.changeFunction(fn.id, { image: "v1" });
    const rolledBack = rig.invoke(fn);
    await rig.until(() => gate.running.length === 3);
    gate.finishAll();
    const bodies = (await Promise.all([before, after, rolledBack])).map((answer: RigAnswer) => answer.body);
    expect(bodies).toEqual(["v1", "v2", "v1"]);
    // Instances of superseded configurations are gone once their calls are.
    await rig.until(() => rig.runtime.instances.size === 1);
    expect(rig.runtime.specs.map((spec) => spec.image)).toEqual(["v1", "v2", "v1"]);
  });

  it.each([
    ["memory", { memoryMiB: 256 }, true],
    ["configuration", { config: { A: "b" } }, true],
    ["network", { settings: { network: "none" } }, true],
    ["timeout", { timeoutS: 5 }, false],
    ["capture", { settings: { capture: "off" } }, false],
  ] as const)("of its %s needs new instances: %s", async (_name, change, isNeeded) => {
    const rig = await open();
    const fn = rig.addFunction("worker");
    await rig.invoke(fn);
    await rig.until(() => gauge(rig)?.idle === 1);
    rig.directory.changeFunction(fn.id, change);
    await rig.invoke(fn);
    expect(rig.runtime.specs).toHaveLength(isNeeded ? 2 : 1);
  });

  it("of a secret or of the application's configuration too, with the function's own settings on top", async () => {
    const secrets: Record<string, string> = { TOKEN: "one" };
    const rig = await open({ deps: { readSecrets: async () => ({ ...secrets }) } });
    const application = rig.directory.addApplication("app", { config: { A: "app", B: "app" } });
    const fn = rig.directory.addFunction(application.id, "worker", { config: { B: "fn" } });
    await rig.invoke(fn);
    await rig.until(() => gauge(rig)?.idle === 1);
    secrets.TOKEN = "two";
    rig.directory.changeSecret(application.id);
    await rig.invoke(fn);
    const platform = { OCI_RESOURCE_PRINCIPAL_VERSION: "2.2", OCI_RESOURCE_PRINCIPAL_REGION: "us-ashburn-1" };
    expect(rig.runtime.specs.map((spec) => spec.environment)).toEqual([
      { A: "app", B: "fn", TOKEN: "one", ...platform },
      { A: "app", B: "fn", TOKEN: "two", ...platform },
    ]);
  });

  it("aborts a start of the old image, and who waits gets the new one", async () => {
    const { promise: never } = Promise.withResolvers<undefined>();
    const rig = await open({ answer: ({ response, instance }) => void response.end(instance.spec.image) });
    let aborted = 0;
    rig.script.start = (spec, signal) => {
      if (spec.image !== "v1") return Promise.resolve(undefined);
      const abort = new Promise<StartResult>((resolve) =>
        signal.addEventListener("abort", () => {
          aborted++;
          resolve({ kind: "aborted" });
        }),
      );
      return Promise.race([never, abort]);
    };
    const fn = rig.addFunction("worker", { image: "v1" });
    const call = rig.invoke(fn);
    await rig.until(() => rig.runtime.specs.length === 1);
    rig.directory.changeFunction(fn.id, { image: "v2" });
    expect((await call).body).toBe("v2");
    expect(aborted).toBe(1);
  });

  it("that deletes it lets calls in flight finish and refuses those who wait", async () => {
    const gate = new Gate();
    const rig = await open({ answer: gate.answer });
    const fn = rig.addFunction("worker", { settings: { "max-instances": 1 } });
    const inFlight = rig.invoke(fn);
    await rig.until(() => gate.running.length === 1);
    const waiting = rig.invoke(fn);
    await rig.until(() => gauge(rig)?.waiting === 1);
    rig.directory.removeFunction(fn.id);
    expect((await waiting).status).toBe(404);
    gate.finishAll();
    expect((await inFlight).status).toBe(200);
    await rig.until(() => rig.runtime.instances.size === 0);
    expect((await rig.invoke(fn)).status).toBe(404);
  });

  it("that deletes it still ends calls at their deadline", async () => {
    const rig = await open({ answer: () => {} });
    const fn = rig.addFunction("worker", { timeoutS: 2 });
    const inFlight = rig.invoke(fn);
    await rig.until(() => instances(rig).some((instance) => instance.calls === 1));
    rig.directory.removeFunction(fn.id);
    await rig.clock.advance(2_100);
    expect((await inFlight).status).toBe(504);
    expect(rig.runtime.instances.size).toBe(0);
  });
});

describe("a new image", () => {
  it("is prepared before anybody calls it, and what is wrong with it is told to those who do", async () => {
    const prepared: string[] = [];
    const rig = await open();
    rig.runtime.prepare = async (image) => {
      prepared.push(image);
      return image === "missing" ? await Promise.reject(new Error("no disk")) : { kind: "ready" };
    };
    const fn = rig.addFunction("worker", { image: "first" });
    for (const image of ["missing", "second"]) rig.directory.changeFunction(fn.id, { image });
    expect(prepared).toEqual(["first", "missing", "second"]);
    expect((await rig.invoke(fn)).status).toBe(200);
  });
});

describe("starts that fail", () => {
  const failing = async (): Promise<StartResult> => ({ kind: "failed", how: "exit code 3" });

  it("are held back with growing delays once they fail in a row, and a new image starts at once", async () => {
    const rig = await open({ start: failing });
    const fn = rig.addFunction("worker", { image: "broken" });
    const codes = async () => JSON.parse((await rig.invoke(fn)).body).code;
    expect([await codes(), await codes(), await codes()]).toEqual(Array(3).fill("instance-start-failed"));
    const held = await rig.invoke(fn);
    expect(held.status).toBe(502);
    expect(Number(held.headers["retry-after"])).toBeGreaterThanOrEqual(1);
    expect(JSON.parse(held.body)).toMatchObject({
      ...{ code: "function-crash-looping", message: expect.stringContaining("failed to initialize") },
      detail: expect.stringContaining("failed to start 3 times in a row (exit code 3)"),
    });
    expect(rig.runtime.specs).toHaveLength(3);
    await rig.clock.advance(limits.crashBackoffMsBase);
    expect(await codes()).toBe("instance-start-failed");
    expect(await codes()).toBe("function-crash-looping");
    delete rig.script.start;
    rig.directory.changeFunction(fn.id, { image: "mended" });
    expect((await rig.invoke(fn)).status).toBe(200);
  });

  it("do not leave a crowd waiting: each start has its call, the rest learns of the loop", async () => {
    const rig = await open({ start: failing });
    const fn = rig.addFunction("worker");
    const answers = await Promise.all(Array.from({ length: 100 }, () => rig.invoke(fn)));
    const codes = answers.map((answer) => JSON.parse(answer.body).code);
    expect(new Set(codes)).toEqual(new Set(["instance-start-failed", "function-crash-looping"]));
    expect(rig.runtime.specs.length).toBeLessThan(8);
  });

  it("of an image that is missing are told to all who wait", async () => {
    const rig = await open({ start: async () => ({ kind: "image-unavailable", reason: "not here" }) });
    const fn = rig.addFunction("worker");
    const answers = await Promise.all(Array.from({ length: 50 }, () => rig.invoke(fn)));
    for (const answer of answers) expect(JSON.parse(answer.body).code).toBe("image-unavailable");
    expect(rig.runtime.specs.length).toBeLessThan(8);
  });

  it("of instances that are always kept back off as well", async () => {
    const rig = await open();
    rig.addFunction("worker", { settings: { "min-instances": 1 } });
    for (let ends = 0; ends < 3; ends++) {
      await rig.until(() => rig.runtime.specs.length === ends + 1 && gauge(rig)?.idle === 1);
      instances(rig)[0]?.exit({ code: 1 });
    }
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(rig.runtime.specs).toHaveLength(3);
    await sweepUntil(rig, () => rig.runtime.specs.length === 4);
  });
});

describe("several calls on one instance", () => {
  it("run at once on connections of their own, up to the function's concurrency", async () => {
    const gate = new Gate();
    const rig = await open({ answer: gate.answer });
    const fn = rig.addFunction("worker", { settings: { concurrency: 3, "max-instances": 1 } });
    const answers = Array.from({ length: 4 }, () => rig.invoke(fn));
    await rig.until(() => gate.running.length === 3);
    expect(gauge(rig)).toMatchObject({ busy: 1, waiting: 1 });
    expect(instances(rig).map((instance) => instance.connections)).toEqual([3]);
    gate.finishAll();
    await rig.until(() => gate.running.length === 1);
    gate.finishAll();
    expect((await Promise.all(answers)).map((answer) => answer.status)).toEqual([200, 200, 200, 200]);
  });

  it("fail together when one of them times out, and say so", async () => {
    const rig = await open({ answer: () => {} });
    const fn = rig.addFunction("worker", { timeoutS: 2, settings: { concurrency: 2, "max-instances": 1 } });
    const first = rig.invoke(fn);
    await rig.until(() => instances(rig).some((instance) => instance.calls === 1));
    await rig.clock.advance(1_000);
    const second = rig.invoke(fn);
    await rig.until(() => instances(rig).some((instance) => instance.calls === 2));
    await rig.clock.advance(1_100);
    expect(JSON.parse((await first).body).code).toBe("function-timed-out");
    expect(JSON.parse((await second).body)).toMatchObject({
      code: "function-crashed",
      detail: expect.stringContaining("another call on the same instance"),
    });
  });
});

describe("output", () => {
  it("counts as the call's while the instance is busy with it alone, late lines included", async () => {
    const rig = await open();
    const fn = rig.addFunction("worker");
    rig.script.answer = ({ response, instance }) => {
      instance.print("early");
      response.end("ok");
      setImmediate(() => instance.print("late", "stderr"));
    };
    const callId = (await rig.invoke(fn)).headers["fn-call-id"];
    await rig.observed((call) => call.status === "succeeded");
    instances(rig)[0]?.print("between calls");
    expect(rig.lines.map((line) => [Buffer.from(line.bytes).toString(), line.stream, line.callId])).toEqual([
      ["early", "stdout", callId],
      ["late", "stderr", callId],
      ["between calls", "stdout", undefined],
    ]);
  });
});

describe("a call that runs long", () => {
  it("is recorded as running before it ends", async () => {
    const gate = new Gate();
    const rig = await open({ answer: gate.answer });
    const answered = rig.invoke(rig.addFunction("worker"));
    await rig.until(() => gate.running.length === 1);
    await rig.clock.advance(2_000);
    expect(rig.calls.map((call) => call.status)).toEqual(["running"]);
    gate.finishAll();
    await answered;
    await rig.observed((call) => call.status === "succeeded");
  });
});
