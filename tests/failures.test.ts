import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { limits } from "@chaya/contract";
import type { CallView } from "@chaya/contract/chaya";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runInMemory } from "../packages/cli/src/testing/memory-terminal.ts";
import { systemRandom } from "../packages/server/src/kernel/random.ts";
import { testStores } from "../packages/server/src/testing/stores.ts";
import { type Answer, endedCall, logOf, read, send, until } from "./calls.ts";
import { type Code, deployCode, uploadCode } from "./deploy-code.ts";
import { isAlive } from "./processes.ts";
import { startTestPlatform, type TestPlatform } from "./test-platform.ts";
import { wildFunction } from "./wild-function.ts";

interface Failure {
  /** Continues "a function that …". */
  readonly name: string;
  readonly deployed?: Omit<Deployed, "name">;
  readonly input?: unknown;
  /** Called through an HTTP trigger. */
  readonly isTriggered?: boolean;
  readonly status: number;
  readonly message: string;
  readonly problem: string;
  readonly detail: RegExp;
  readonly recorded?: CallView["status"];
}

const receiving = "error receiving function response";
const invalid = "invalid function response";
const initFailed = "Container failed to initialize, please ensure you are using the latest fdk and check the logs";
const initTimedOut =
  "Container initialization timed out, please ensure you are using the latest fdk and check the logs";

const throwing = `
require("@fnproject/fdk").handle(() => {
  throw new Error("as told");
});`;

/** Waits for longer than it has, by the signal that its FDK gives it. */
const patient = `
import { setTimeout } from "node:timers/promises";
import { handle } from "@chaya/fdk";
handle(async (_input, { signal }) => setTimeout(60_000, "never", { signal }));`;
const patientFile =
  "schema_version: 20180708\nname: patient\nruntime: typescript\nentrypoint: node func.ts\ntimeout: 2\n";

const failures: readonly Failure[] = [
  {
    ...{ name: "never listens", deployed: { config: { START: "never" } }, status: 504 },
    ...{ message: initTimedOut, problem: "instance-start-timed-out", detail: /within 5 s/ },
  },
  {
    ...{ name: "throws", deployed: { code: throwing, image: undefined }, status: 502 },
    ...{ message: "function failed", problem: "function-failed", detail: /threw an error/ },
  },
  {
    ...{ name: "reports a timeout of its own", input: { status: 504 }, status: 504, recorded: "timed-out" },
    ...{ message: "Timed out", problem: "function-reported-timeout", detail: /itself reported/ },
  },
  {
    ...{ name: "exits in the middle of a call", input: { exit: 3 }, status: 502 },
    ...{ message: receiving, problem: "function-crashed", detail: /exit code 3/ },
  },
  {
    ...{ name: "breaks the memory's rules", input: { signal: "SIGSEGV" }, status: 502 },
    ...{ message: receiving, problem: "function-crashed", detail: /signal SIGSEGV/ },
  },
  {
    ...{ name: "is killed", input: { signal: "SIGKILL" }, status: 502 },
    ...{ message: receiving, problem: "function-crashed", detail: /signal SIGKILL/ },
  },
  {
    ...{ name: "uses more memory than it has", input: { hoard: 600 }, deployed: { memory: 128 }, status: 502 },
    ...{ message: receiving, problem: "function-out-of-memory", detail: /more than its 128 MiB/ },
  },
  {
    ...{ name: "exits at its start", deployed: { config: { START: "exit" } }, status: 502 },
    ...{ message: initFailed, problem: "instance-start-failed", detail: /exit code 3/ },
  },
  {
    ...{ name: "throws while it is imported", deployed: { config: { START: "throw" } }, status: 502 },
    message: initFailed,
    ...{ problem: "instance-start-failed", detail: /exit code 1\. It printed:\n.*import failed/s },
  },
  {
    ...{ name: "cannot be compiled", deployed: { code: "let fine;\nconst = 1;\n", image: undefined }, status: 502 },
    message: initFailed,
    ...{ problem: "instance-start-failed", detail: /func\.js:2\nconst = 1;\n +\^\n+SyntaxError: Unexpected token/ },
  },
  {
    ...{ name: "answers garbage instead of HTTP", input: { raw: { bytes: "what?\r\n\r\n" } }, status: 502 },
    ...{ message: receiving, problem: "function-response-broken", detail: /does not begin with an HTTP\/1.1 status/ },
  },
  {
    ...{ name: "answers with the status 201", input: { status: 201 }, status: 502 },
    ...{ message: invalid, problem: "function-response-invalid", detail: /its status is 201/ },
  },
  {
    ...{ name: "stops in the middle of its answer's head", status: 502 },
    input: { raw: { bytes: "HTTP/1.1 200 OK\r\nContent-Length: 10" } },
    ...{ message: receiving, problem: "function-response-broken", detail: /closed the connection/ },
  },
  {
    ...{ name: "sends too many bytes of headers", status: 502 },
    input: { raw: { bytes: "HTTP/1.1 200 OK\r\nX-Pad: PAD\r\nContent-Length: 0\r\n\r\n", pad: 70_000, endMs: 60_000 } },
    message: "function response header too large",
    ...{ problem: "function-response-header-too-large", detail: /65536/ },
  },
  ...["99", "600", "1000"].map(
    (status): Failure => ({
      ...{ name: `answers a trigger with the status ${status}`, isTriggered: true, status: 502 },
      input: { raw: { bytes: `HTTP/1.1 200 OK\r\nFn-Http-Status: ${status}\r\nContent-Length: 0\r\n\r\n` } },
      ...{ message: invalid, problem: "function-response-invalid", detail: new RegExp(`the status ${status}`) },
    }),
  ),
  {
    ...{ name: "puts a bare line end into a header", isTriggered: true, status: 502 },
    input: { raw: { bytes: "HTTP/1.1 200 OK\r\nFn-Http-H-X: a\nSet-Cookie: b=c\r\nContent-Length: 0\r\n\r\n" } },
    ...{ message: receiving, problem: "function-response-broken", detail: /contains control characters/ },
  },
  {
    ...{ name: "has an image that nobody can fetch", deployed: { image: "example.com/team/fn:1" }, status: 502 },
    message:
      "Failed to pull image 'example.com/team/fn:1': no runtime here can fetch it; deploy code with chaya deploy",
    ...{ problem: "image-unavailable", detail: /no runtime here can fetch it/ },
  },
  {
    ...{ name: "has an image whose bundle was never uploaded", status: 502 },
    deployed: { image: `bundle/a/b:sha256-${"0".repeat(64)}` },
    message: `Failed to pull image 'bundle/a/b:sha256-${"0".repeat(64)}': no code bundle with the digest ${"0".repeat(64)} is stored here`,
    ...{ problem: "image-unavailable", detail: /Failed to pull image/ },
  },
  {
    ...{ name: "wants more memory than the node has", deployed: { memory: 8192 }, status: 400, recorded: "refused" },
    ...{ message: "Requested CPU/Memory cannot be allocated", problem: "memory-too-large", detail: /4096 MiB/ },
  },
];

for (const store of testStores())
  describe(`on the ${store.kind} store, a function`, () => {
    let platform: TestPlatform;
    let image: string;
    let appId: string;
    let directory: string;
    beforeAll(async () => {
      // Without luck: each back-off lasts as long as it may.
      const random = { ...systemRandom(), number: () => 0 };
      platform = await startTestPlatform(store, { flags: { "function-memory": "4096" }, overrides: { random } });
      image = await uploadCode(platform.url, { app: "wild", name: "wild", code: wildFunction });
      appId = JSON.parse((await send(`${platform.url}/v2/apps`, { name: "wild" })).text).id;
      directory = mkdtempSync(join(tmpdir(), "chaya-failures-"));
    });
    afterAll(async () => {
      await platform[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    });

    it.concurrent.each(failures)("that $name is told so in answer, record and log alike", async (failure) => {
      const name = `f${failures.indexOf(failure)}`;
      const trigger = failure.isTriggered ? `/${name}` : undefined;
      const fnId = await deploy({ name, timeout: 30, ...(trigger && { trigger }), ...failure.deployed });
      const target = trigger === undefined ? `/invoke/${fnId}` : `/t/wild${trigger}`;
      const answer = await send(`${platform.url}${target}`, failure.input ?? {});
      expect(answer.status).toBe(failure.status);
      const shown = shownProblem(answer);
      expect(shown).toMatchObject({ message: failure.message, code: failure.problem });
      expect(shown.detail).toMatch(failure.detail);
      await expectRecorded(platform, answer, failure.recorded ?? "failed");
    });

    it.concurrent("that stops in the middle of its body never ends cleanly for its caller", async () => {
      const fnId = await deploy({ name: "truncated" });
      const bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort";
      const init = { method: "POST", body: JSON.stringify({ raw: { bytes, endMs: 100 } }) };
      const answer = await fetch(`${platform.url}/invoke/${fnId}`, init);
      expect(answer.status).toBe(200);
      await expect(answer.text()).rejects.toThrow();
      expect(await endedCall(platform.url, answer.headers.get("fn-call-id") ?? "")).toMatchObject({
        ...{ status: "failed", httpStatus: 200, responseBytes: 5 },
        problem: { code: "function-response-broken", sentence: expect.stringContaining("closed the connection") },
      });
    });

    it.concurrent("that times out is dead with all it spawned before its caller reads 504", async () => {
      const fnId = await deploy({ name: "hanging", timeout: 1 });
      for (const spins of [false, true]) {
        const file = join(directory, `pids-${spins}`);
        const answer = await send(`${platform.url}/invoke/${fnId}`, { hang: { file, spins } });
        const living = readFileSync(file, "utf8").split(" ").map(Number).filter(isAlive);
        expect(answer.status).toBe(504);
        expect(living).toEqual([]);
        expect(shownProblem(answer)).toMatchObject({
          ...{ message: "Timed out", code: "function-timed-out" },
          detail: expect.stringContaining("timeout of 1 s (set by timeout of function 'hanging')"),
        });
        await expectRecorded(platform, answer, "timed-out");
      }
    });

    it.concurrent("that gives up at its deadline through our FDK says so itself", async () => {
      const folder = join(directory, "patient");
      mkdirSync(folder);
      writeFileSync(join(folder, "func.yaml"), patientFile);
      writeFileSync(join(folder, "func.ts"), patient);
      const environment = { CHAYA_URL: platform.url, HOME: directory };
      const deployed = await runInMemory(["deploy", "--app", "wild", "--json"], { directory: folder, environment });
      expect(deployed.err).toBe("");
      const { items } = await read<{ items: { id: string }[] }>(`${platform.url}/v2/fns?app_id=${appId}&name=patient`);
      const answer = await send(`${platform.url}/invoke/${items[0]?.id}`, {});
      expect(answer.status).toBe(504);
      expect(shownProblem(answer)).toMatchObject({ message: "Timed out", code: "function-reported-timeout" });
      await expectRecorded(platform, answer, "timed-out");
    });

    it.concurrent("that fails at each start is started less and less often, and a new image starts at once", async () => {
      const broken = { name: "looping", config: { START: "exit" } };
      const fnId = await deploy(broken);
      const ask = () => send(`${platform.url}/invoke/${fnId}`, { echo: 1 });
      for (const _ of [1, 2, 3]) expect(shownProblem(await ask()).code).toBe("instance-start-failed");
      const held = await until(async () => {
        const answer = await ask();
        return shownProblem(answer).code === "function-crash-looping" ? answer : undefined;
      }, "a start that is held back");
      expect(held.status).toBe(502);
      expect(Number(held.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(shownProblem(held).detail).toMatch(/failed to start \d+ times in a row \(exit code 3\)/);
      await expectRecorded(platform, held, "failed");
      await deploy({ ...broken, image: undefined, code: `process.env.START = "listen";\n${wildFunction}` });
      expect(await ask()).toMatchObject({ status: 200, text: "1" });
    });

    it("that fails at its start tells nobody what it printed where callers come from elsewhere", async () => {
      await using far = await startTestPlatform(store, { flags: { "public-url": "https://faas.example.com" } });
      const fnId = await deployCode(far.url, { app: "far", name: "broken", code: "const = 1;" });
      const answer = await send(`${far.url}/invoke/${fnId}`, {});
      expect(shownProblem(answer).detail).toBe("The function could not be started: exit code 1.");
      const printed = async () => {
        const { items } = await read<{ items: { text: string }[] }>(`${far.url}/chaya/v1/logs?app=far`);
        return items.find(({ text }) => text.startsWith("SyntaxError"));
      };
      expect(await until(printed, "what it printed, in its log")).toBeDefined();
    });

    it("that calls itself is stopped at the end of the longest chain allowed", async () => {
      const fnId = await deploy({ name: "circle", memory: 64 });
      const url = `${platform.url}/invoke/${fnId}`;
      const answer = await send(url, { circle: url });
      const { inner } = JSON.parse(answer.text);
      expect(inner).toMatchObject({ status: 429, code: "call-chain-too-deep" });
      expect(inner.detail).toContain(`a chain of ${limits.callChainDepthMax} functions`);
      const record = await endedCall(platform.url, inner.callId);
      expect(record).toMatchObject({ status: "refused", httpStatus: 429, problem: { code: "call-chain-too-deep" } });
      const causes = [record];
      for (let causeId = record.causeId; causeId !== undefined; causeId = causes.at(-1)?.causeId)
        causes.push(await endedCall(platform.url, causeId));
      expect(causes).toHaveLength(limits.callChainDepthMax + 1);
    });

    it("that has a full queue refuses the next call and says when to come again", async () => {
      const annotations = { "chaya/max-instances": 1, "chaya/capture": "off" };
      const fnId = await deploy({ name: "busy", annotations, timeout: 60 });
      const file = join(directory, "busy");
      const gone = new AbortController();
      const running = send(`${platform.url}/invoke/${fnId}`, { hang: { file } }, { signal: gone.signal });
      await until(() => existsSync(file) || undefined, "the call that keeps the instance busy");
      // Requests sent without waiting for answers: ten thousand connections would measure the client.
      const clients = Array.from({ length: 10 }, () => connect(platform.port, "127.0.0.1").on("error", () => {}));
      const requests = rawRequest(`/invoke/${fnId}`, '{"echo":1}').repeat(limits.waitingCallsPerFunctionMax / 10);
      for (const client of clients) client.write(requests);
      const isFull = async () => (await waitingCalls("busy")) === limits.waitingCallsPerFunctionMax || undefined;
      await until(isFull, "a full queue");
      const answer = await send(`${platform.url}/invoke/${fnId}`, { echo: 1 });
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toBe("1");
      expect(shownProblem(answer)).toMatchObject({ message: "Timed out - server too busy", code: "queue-full" });
      await expectRecorded(platform, answer, "refused");
      for (const client of clients) client.destroy();
      await until(async () => (await waitingCalls("busy")) === 0 || undefined, "an empty queue without its clients");
      gone.abort();
      await expect(running).rejects.toThrow("aborted");
    }, 40_000);

    async function deploy(options: Deployed): Promise<string> {
      return deployCode(platform.url, { app: "wild", image, ...options });
    }

    async function waitingCalls(name: string): Promise<number> {
      const { text } = await send(`${platform.url}/metrics`, undefined, { method: "GET" });
      return Number(new RegExp(`^chaya_calls_waiting\\{app="wild",fn="${name}"\\} (\\d+)$`, "m").exec(text)?.[1]);
    }
  });

type Deployed = Omit<Code, "app">;

interface ShownProblem {
  readonly message: string;
  readonly code: string;
  readonly detail: string;
  readonly hint: string;
  readonly callId: string;
}

function shownProblem(answer: Answer): ShownProblem {
  // The shape that failed calls are answered in; its members are compared below.
  return JSON.parse(answer.text) as ShownProblem;
}

/** Answer, record and log give one call id, one code, one sentence and one hint. */
async function expectRecorded(platform: TestPlatform, answer: Answer, status: CallView["status"]): Promise<void> {
  const { callId, code, detail, hint } = shownProblem(answer);
  expect(callId).toMatch(/^[0-9A-Z]{26}$/);
  expect(answer.headers.get("fn-call-id")).toBe(callId);
  expect(hint).toMatch(/\w/);
  expect(await endedCall(platform.url, callId)).toMatchObject({
    ...{ id: callId, application: "wild", attempt: 1, status, httpStatus: answer.status },
    problem: { code, sentence: detail, hint },
  });
  const lines = await logOf(platform.url, callId);
  const said = lines.filter(({ stream }) => stream === "platform").map(({ text }) => text);
  expect(said).toEqual([detail.includes("\n") ? `${detail}\n${hint}` : `${detail} ${hint}`]);
}

function rawRequest(path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}
