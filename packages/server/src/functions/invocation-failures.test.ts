import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { InvocationRig, openStore, type RigOptions } from "../testing/invocation-rig.ts";
import type { Script, ScriptedCall } from "../testing/scripted-runtime.ts";
import type { OpenTestStore } from "../testing/stores.ts";
import type { FunctionRecord } from "./model.ts";

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
  const fn = rig.addFunction("failing", { timeoutS: 3, settings: { capture: "failures" } });
  rig.directory.addTrigger(fn, "/");
  return { rig, fn };
}

interface Failure {
  readonly name: string;
  readonly answer?: Script["answer"];
  readonly start?: Script["start"];
  readonly status: number;
  readonly message: string;
  readonly code: string;
  readonly detail: RegExp;
  readonly recorded?: "failed" | "timed-out" | "refused";
  /** The instance serves the next call too. */
  readonly isReused?: boolean;
  /** So much time passes before the failure shows. */
  readonly advanceMs?: number;
}

const raw =
  (bytes: string, then: "end" | "stay" = "end") =>
  ({ socket }: ScriptedCall) => {
    socket.write(bytes, "latin1");
    if (then === "end") socket.end();
  };
const ends =
  (end: Parameters<ScriptedCall["instance"]["exit"]>[0]) =>
  ({ instance }: ScriptedCall) =>
    instance.exit(end);
const status = (code: number) => async (call: ScriptedCall) => {
  await call.body();
  call.response.writeHead(code, { "Fn-Fdk-Version": "v" }).end("the function's own words");
};
const initFailed = "Container failed to initialize, please ensure you are using the latest fdk and check the logs";
const initTimedOut =
  "Container initialization timed out, please ensure you are using the latest fdk and check the logs";
const receiving = "error receiving function response";
const invalid = "invalid function response";

const failures: readonly Failure[] = [
  {
    ...{ name: "throws", answer: status(502), status: 502, isReused: true },
    ...{ message: "function failed", code: "function-failed", detail: /threw an error/ },
  },
  {
    ...{ name: "reports a timeout", answer: status(504), status: 504, isReused: true, recorded: "timed-out" },
    ...{ message: "Timed out", code: "function-reported-timeout", detail: /itself reported/ },
  },
  {
    ...{ name: "answers 201", answer: status(201), status: 502 },
    ...{ message: invalid, code: "function-response-invalid", detail: /its status is 201/ },
  },
  {
    ...{ name: "answers 404", answer: status(404), status: 502 },
    ...{ message: invalid, code: "function-response-invalid", detail: /its status is 404/ },
  },
  {
    ...{ name: "answers 500", answer: status(500), status: 502 },
    ...{ message: invalid, code: "function-response-invalid", detail: /its status is 500/ },
  },
  {
    ...{ name: "sleeps past its timeout", answer: () => {}, status: 504, advanceMs: 3_100, recorded: "timed-out" },
    ...{
      message: "Timed out",
      code: "function-timed-out",
      detail: /timeout of 3 s \(set by timeout of function 'failing'\)/,
    },
  },
  {
    ...{ name: "exits 7", answer: ends({ code: 7 }), status: 502 },
    ...{ message: receiving, code: "function-crashed", detail: /exit code 7/ },
  },
  {
    ...{ name: "exits 0 before it has answered", answer: ends({ code: 0 }), status: 502 },
    ...{ message: receiving, code: "function-crashed", detail: /exit code 0/ },
  },
  {
    ...{ name: "dies of a signal", answer: ends({ signal: "SIGSEGV" }), status: 502 },
    ...{ message: receiving, code: "function-crashed", detail: /signal SIGSEGV/ },
  },
  {
    ...{ name: "runs out of memory", answer: ends({ signal: "SIGKILL", isOutOfMemory: true }), status: 502 },
    ...{ message: receiving, code: "function-out-of-memory", detail: /more than its 128 MiB/ },
  },
  {
    ...{ name: "answers garbage", answer: raw("garbage\r\n\r\n"), status: 502 },
    ...{ message: receiving, code: "function-response-broken", detail: /does not begin with an HTTP\/1.1 status line/ },
  },
  {
    ...{ name: "closes the connection instead of answering", answer: ({ socket }) => void socket.end() },
    ...{ status: 502, message: receiving, code: "function-response-broken", detail: /closed the connection/ },
    advanceMs: 150,
  },
  {
    ...{ name: "announces more than it sends", answer: raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n") },
    ...{ status: 502, message: receiving, code: "function-response-broken", detail: /closed the connection/ },
    advanceMs: 150,
  },
  {
    ...{ name: "folds a header", answer: raw("HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n") },
    ...{ status: 502, message: receiving, code: "function-response-broken", detail: /no valid name/ },
  },
  {
    ...{ name: "sends two framings", status: 502 },
    answer: raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ...{ message: receiving, code: "function-response-broken", detail: /both Content-Length and Transfer-Encoding/ },
  },
  {
    ...{ name: "sends 100 KiB of headers", status: 502 },
    answer: raw(`HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(100 * 1024)}\r\n\r\n`, "stay"),
    ...{ message: "function response header too large", code: "function-response-header-too-large", detail: /65536/ },
  },
  {
    ...{ name: "announces 3 GiB", answer: raw("HTTP/1.1 200 OK\r\nContent-Length: 3221225472\r\n\r\n", "stay") },
    ...{
      status: 502,
      message: "function response body too large",
      code: "function-response-too-large",
      detail: /2147483648/,
    },
  },
  {
    ...{ name: "has an image that cannot be had", status: 502 },
    start: async () => ({ kind: "image-unavailable", reason: "no runtime here can fetch it" }),
    message: "Failed to pull image 'bundle/app/failing:1': no runtime here can fetch it",
    ...{ code: "image-unavailable", detail: /Failed to pull image/ },
  },
  {
    ...{ name: "has damaged code", status: 502 },
    start: async () => ({ kind: "image-damaged", reason: "its digest differs" }),
    message: "Failed to pull image 'bundle/app/failing:1': its digest differs",
    ...{ code: "image-damaged", detail: /is damaged/ },
  },
  {
    ...{ name: "ends at its start", start: async () => ({ kind: "failed", how: "exit code 3" }), status: 502 },
    ...{ message: initFailed, code: "instance-start-failed", detail: /exit code 3/ },
  },
  {
    ...{ name: "never listens", start: async () => ({ kind: "timed-out" }), status: 504 },
    ...{ message: initTimedOut, code: "instance-start-timed-out", detail: /within 5 s/ },
  },
  {
    ...{ name: "meets a broken runtime", start: () => Promise.reject(new Error("no more processes")), status: 500 },
    ...{
      message: "internal server error",
      code: "internal",
      detail: /went wrong in the platform/,
      recorded: "refused",
    },
  },
];

/** A start that prints two lines and fails. */
const failingAloud: Script["start"] = async ({ onLine }) => {
  for (const text of ["func.js:1", "const = 1"]) onLine({ stream: "stderr", bytes: Buffer.from(text), isCut: false });
  return { kind: "failed", how: "exit code 1" };
};

describe("what a failed start printed", () => {
  const detailOf = (body: string): string => JSON.parse(body).detail;

  it("is told to its callers, also while further starts are held back, in the record and in one log line", async () => {
    const { rig, fn } = await open({ start: failingAloud });
    const sentence = "The function could not be started: exit code 1. It printed:\nfunc.js:1\nconst = 1";
    for (const _ of [1, 2, 3]) expect(detailOf((await rig.invoke(fn)).body)).toBe(sentence);
    expect(detailOf((await rig.invoke(fn)).body)).toMatch(/3 times in a row .* It printed:\nfunc\.js:1\nconst = 1$/);
    const record = await rig.observed((call) => call.finishedAtMs !== undefined);
    expect(record.problem?.sentence).toBe(sentence);
    const [line] = rig.lines.filter(({ stream }) => stream === "platform");
    expect(Buffer.from(line?.bytes ?? "").toString()).toBe(`${sentence}\n${record.problem?.hint}`);
  });

  it("is nobody's business where callers are not on this machine, and secrets are nobody's ever", async () => {
    const far = await open({ start: failingAloud, deps: { tellsStartOutput: () => false } });
    expect(detailOf((await far.rig.invoke(far.fn)).body)).toBe("The function could not be started: exit code 1.");
    const near = await open({ start: failingAloud, deps: { redact: () => Buffer.from("[secret]") } });
    expect(detailOf((await near.rig.invoke(near.fn)).body)).toMatch(/It printed:\n\[secret\]\n\[secret\]$/);
  });
});

describe.each(failures)("a function that $name", (failure) => {
  const { start, answer = () => {} } = failure;

  it("gives its caller, the record and the log the same reason", async () => {
    const { rig, fn } = await open({ answer, ...(start && { start }) });
    const answered = rig.invoke(fn, "the input", { "Content-Type": "text/plain" });
    await advance(rig, failure);
    const { status: got, headers, body } = await answered;
    const shown = JSON.parse(body);
    const callId = headers["fn-call-id"] as string;
    expect(got).toBe(failure.status);
    expect(shown).toMatchObject({ message: failure.message, code: failure.code, callId });
    expect(shown.detail).toMatch(failure.detail);
    expect(shown.hint).toMatch(/\w/);
    const { detail: sentence, hint, code } = shown;
    const record = await rig.observed((call) => call.finishedAtMs !== undefined);
    expect(record).toMatchObject({ id: callId, httpStatus: got, problem: { code, sentence, hint } });
    expect(record.status).toBe(failure.recorded ?? "failed");
    const lines = rig.lines.filter((line) => line.stream === "platform");
    expect(lines.map((line) => [line.callId, Buffer.from(line.bytes).toString()])).toEqual([
      [callId, `${sentence} ${hint}`],
    ]);
    if (start === undefined)
      expect(rig.captured.map(({ bytes, ...input }) => ({ ...input, text: Buffer.from(bytes).toString() }))).toEqual([
        { callId, functionId: fn.id, contentType: "text/plain", text: "the input" },
      ]);
  });

  it("is never run again in the same instance unless it answered in order", async () => {
    const { rig, fn } = await open({ answer, ...(start && { start }) });
    const answered = rig.invoke(fn);
    await advance(rig, failure);
    await answered;
    if (start !== undefined) return expect(rig.runtime.instances.size).toBe(0);
    expect(rig.runtime.instances.size).toBe(failure.isReused ? 1 : 0);
    rig.script.answer = ({ response }) => void response.end("fine");
    expect((await rig.invoke(fn)).body).toBe("fine");
    expect(rig.runtime.specs).toHaveLength(failure.isReused ? 1 : 2);
  });

  it("says the same behind a trigger", async () => {
    const { rig } = await open({ answer, ...(start && { start }) });
    const answered = rig.request("GET", "/t/app/");
    await advance(rig, failure);
    const { status: got, body } = await answered;
    expect(got).toBe(failure.status);
    expect(JSON.parse(body)).toMatchObject({ message: failure.message, code: failure.code });
  });
});

/** Lets the call reach its function, then lets time pass as far as the failure needs. */
async function advance(rig: InvocationRig, failure: Failure): Promise<void> {
  if (failure.advanceMs === undefined) return;
  await rig.until(() => [...rig.runtime.instances].some((instance) => instance.calls > 0));
  // The end of a connection needs real time to arrive; the waiting for what it meant is the clock's.
  await new Promise((resolve) => setTimeout(resolve, 20));
  await rig.clock.advance(failure.advanceMs);
}

describe("a function that times out", () => {
  it("is gone with all it spawned before its caller reads 504", async () => {
    const { promise: gone, resolve: finish } = Promise.withResolvers<void>();
    const answer = ({ instance }: ScriptedCall) => {
      instance.lingers = gone;
    };
    const { rig, fn } = await open({ answer });
    let isAnswered = false;
    const answered = rig.invoke(fn).finally(() => {
      isAnswered = true;
    });
    await rig.until(() => [...rig.runtime.instances].some((instance) => instance.calls > 0));
    await rig.clock.advance(3_100);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isAnswered).toBe(false);
    finish();
    expect((await answered).status).toBe(504);
  });

  it("is given the whole timeout from its dispatch, however long the call waited", async () => {
    const { rig, fn } = await open({ answer: () => {} });
    const { promise: started, resolve: start } = Promise.withResolvers<undefined>();
    rig.script.start = () => started;
    const answered = rig.invoke(fn);
    await rig.until(() => rig.runtime.specs.length === 1);
    await rig.clock.advance(2_500);
    start(undefined);
    await rig.until(() => [...rig.runtime.instances].some((instance) => instance.calls > 0));
    await rig.clock.advance(2_900);
    expect(rig.calls.filter((call) => call.finishedAtMs !== undefined)).toEqual([]);
    await rig.clock.advance(200);
    expect((await answered).status).toBe(504);
    const record = await rig.observed((call) => call.status === "timed-out");
    expect([record.waitUs, record.runUs]).toEqual([2_500_000, 3_000_000]);
  });
});

describe("a refused call", () => {
  it("wants more memory than the node has", async () => {
    const { rig } = await open();
    const fn = rig.addFunction("large", { memoryMiB: 8192 });
    const answer = await rig.invoke(fn);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({
      ...{ message: "Requested CPU/Memory cannot be allocated", code: "memory-too-large" },
      detail: expect.stringContaining("4096 MiB"),
    });
  });

  it("goes round the gateway that its function demands", async () => {
    const { rig } = await open();
    const fn = rig.addFunction("guarded", { settings: { invoke: "gateway" } });
    rig.directory.addTrigger(fn, "/guarded");
    const answers = [
      await rig.invoke(fn),
      await rig.request("GET", "/t/app/guarded"),
      await rig.invoke(fn, "", { "Fn-Invoke-Type": "detached" }),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([403, 403, 403]);
    expect(rig.runtime.specs).toHaveLength(0);
  });

  it("announces a body beyond the limit and is told before it sends it", async () => {
    const { rig, fn } = await open();
    const socket = rig.connect();
    socket.write(`POST /invoke/${fn.id} HTTP/1.1\r\nHost: x\r\nContent-Length: 3221225472\r\n\r\n`);
    const [bytes] = await Promise.race([once(socket, "data"), once(socket, "close")]);
    expect(String(bytes)).toContain("HTTP/1.1 413");
    expect(String(bytes)).toContain('"message":"Request content too large"');
    socket.destroy();
    expect(rig.runtime.specs).toHaveLength(0);
  });
});

describe("a function that answers too much", () => {
  it("gets its first answer through and is not used again", async () => {
    const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    const { rig, fn } = await open({ answer: raw(`${answer}oneHTTP/1.1 200 OK\r\n\r\n`, "stay") });
    expect(await rig.invoke(fn)).toMatchObject({ status: 200, body: "on" });
    await rig.until(() => rig.runtime.instances.size === 0);
  });

  it("is not used again when the excess comes later", async () => {
    const { rig, fn } = await open();
    rig.script.answer = ({ response, socket }) => {
      response.end("one");
      setImmediate(() => setImmediate(() => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")));
    };
    expect((await rig.invoke(fn)).body).toBe("one");
    await rig.until(() => rig.runtime.instances.size === 0);
  });

  it("may send interim answers first", async () => {
    const interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n";
    const { rig, fn } = await open({ answer: raw(`${interim}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`) });
    expect(await rig.invoke(fn)).toMatchObject({ status: 200, body: "ok" });
  });
});

function once(emitter: NodeJS.EventEmitter, event: string): Promise<unknown[]> {
  return new Promise((resolve) => emitter.once(event, (...values: unknown[]) => resolve(values)));
}
