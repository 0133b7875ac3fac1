import { readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeTree } from "../../kernel/archive/index.ts";
import { type Clock, systemClock } from "../../kernel/clock.ts";
import { noCredentials } from "../../testing/no-credentials.ts";
import { type PackedBundle, packBundle } from "../../testing/pack-bundle.ts";
import { callInstance, obedient, stockFunction, typescriptFunction } from "./conformance-functions.ts";
import { describeCredentials } from "./credentials-conformance.ts";
import type { Instance, InstanceSpec, OpenBundle, OutputLine, RuntimeDriver, StartResult } from "./driver.ts";

export interface RuntimeKit {
  /** Empty; removed after the test. */
  readonly directory: string;
  readonly openBundle: OpenBundle;
  readonly clock: Clock;
}

export interface RuntimeUnderTest {
  readonly make: (kit: RuntimeKit) => Promise<RuntimeDriver>;
  /** Whether the process that the function itself knows under this pid still runs. */
  readonly isRunning: (pid: number) => boolean;
}

const never = new AbortController().signal;

/** What every runtime must do, with real functions. An implementation's test calls it once. */
export function runtimeConformance(name: string, { make, isRunning }: RuntimeUnderTest): void {
  describe(`the runtime '${name}'`, () => {
    let directory: string;
    let runtime: RuntimeDriver;
    let lines: OutputLine[];
    let bundles: Map<string, Buffer>;
    let opened: string[];
    let started = 0;

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), "runtime-"));
      lines = [];
      bundles = new Map();
      opened = [];
      const openBundle = async (digest: string) => {
        opened.push(digest);
        const bytes = bundles.get(digest);
        return bytes === undefined ? undefined : Readable.from([bytes]);
      };
      runtime = await make({ directory, openBundle, clock: systemClock() });
    });
    afterEach(async () => {
      await runtime[Symbol.asyncDispose]();
      await removeTree(directory);
    });

    async function store(entries: Parameters<typeof packBundle>[0]): Promise<PackedBundle> {
      const bundle = await packBundle(entries);
      bundles.set(bundle.digest, bundle.bytes);
      return bundle;
    }

    function specOf(image: string, changes: Partial<InstanceSpec> = {}): InstanceSpec {
      return {
        instanceId: `01ARZ3NDEKTSV4RRFFQ69G${String(++started).padStart(4, "0")}`,
        image,
        functionId: "01ARZ3NDEKTSV4RRFFQ69FUNCT",
        functionName: "hello",
        applicationId: "01ARZ3NDEKTSV4RRFFQ69APP00",
        applicationName: "demo",
        memoryMiB: 128,
        environment: {},
        startTimeoutMs: 10_000,
        network: runtime.abilities.isolatesNetwork === true ? "none" : "outbound",
        onLine: (line) => lines.push(line),
        credentials: noCredentials,
        onDoorConnection: (connection) => connection.destroy(),
        ...changes,
      };
    }

    async function startObedient(changes: Partial<InstanceSpec> = {}): Promise<Instance> {
      const { image } = await store({ "func.js": obedient });
      return instanceOf(await runtime.start(specOf(image, changes), never));
    }

    const startIn = async (mode: string, changes: Partial<InstanceSpec> = {}) => {
      const { image } = await store({ "func.js": obedient });
      return await runtime.start(specOf(image, { environment: { MODE: mode }, ...changes }), never);
    };

    const printed = () => lines.map((line) => `${line.stream}: ${Buffer.from(line.bytes).toString()}`);

    describe("starting", () => {
      it("starts a function that answers calls, one after the other and on several connections", async () => {
        const instance = await startObedient();
        expect(await callInstance(instance, { echo: 1 })).toEqual({ path: "/call", value: 1 });
        expect(await Promise.all([2, 3].map((echo) => callInstance(instance, { echo })))).toMatchObject([
          { value: 2 },
          { value: 3 },
        ]);
      });

      it("runs npm's stock FDK", async () => {
        const fdk = createRequire(import.meta.url).resolve("@fnproject/fdk");
        const manifest = readFileSync(join(fdk, "../package.json"), "utf8");
        const { image } = await store({
          "func.js": stockFunction("@fnproject/fdk"),
          "func.yaml": "entrypoint: node func.js\n",
          "node_modules/@fnproject/fdk/fn-fdk.js": readFileSync(fdk, "utf8"),
          "node_modules/@fnproject/fdk/package.json": manifest,
        });
        const instance = instanceOf(await runtime.start(specOf(image), never));
        expect(await callInstance(instance, { name: "Chaya" }, { "Fn-Call-Id": "01CALL" })).toEqual({
          greeting: "Hello Chaya",
          functionName: "hello",
          callId: "01CALL",
        });
      });

      it("runs TypeScript modules, as the manifest of the bundle says", async () => {
        const manifest = { formatVersion: 1, runtime: "typescript", entrypoint: ["node", "src/main.ts"] };
        const { image } = await store({
          ".chaya/bundle.json": JSON.stringify(manifest),
          "package.json": '{"type":"module"}',
          "src/main.ts": typescriptFunction("typed"),
          "func.js": "process.exit(9)",
        });
        expect(await callInstance(instanceOf(await runtime.start(specOf(image), never)), {})).toEqual({
          value: "typed",
        });
      });

      it.each(["link", "direct", "rename", "late"])("finds a socket that is made as: %s", async (mode) => {
        expect(await callInstance(instanceOf(await startIn(mode)), { echo: mode })).toMatchObject({ value: mode });
      });

      it.each([
        ["abslink", /not a bare name/],
        ["uplink", /not a bare name/],
        ["relink", /not a socket/],
        ["file", /not a socket/],
        ["folder", /not a socket/],
      ])("refuses a socket that is made as: %s", async (mode, expected) => {
        expect(await startIn(mode)).toEqual({ kind: "failed", how: expect.stringMatching(expected) });
      });

      it.each([
        ["exit", "exit code 3"],
        ["segv", "signal SIGSEGV"],
        ["throw", "exit code 1"],
        ["finish", "exit code 0"],
      ])("tells how one ended that did not come so far: %s", async (mode, how) => {
        expect(await startIn(mode)).toEqual({ kind: "failed", how });
      });

      it("gives out what it printed before it failed", async () => {
        await startIn("exit");
        expect(printed()).toEqual(["stderr: cannot go on"]);
      });

      it("gives up on one that never listens", async () => {
        expect(await startIn("never", { startTimeoutMs: 300 })).toEqual({ kind: "timed-out" });
      });

      it("leaves nothing of a start that is aborted", async () => {
        const { image } = await store({ "func.js": `console.log(process.pid);${obedient}` });
        const controller = new AbortController();
        const pid = Promise.withResolvers<number>();
        const spec = specOf(image, {
          environment: { MODE: "never" },
          onLine: (line) => pid.resolve(Number(Buffer.from(line.bytes).toString())),
        });
        const start = runtime.start(spec, controller.signal);
        expect(isRunning(await pid.promise)).toBe(true);
        controller.abort();
        expect(await start).toEqual({ kind: "aborted" });
        expect(isRunning(await pid.promise)).toBe(false);
        expect(await runtime.start(spec, controller.signal)).toEqual({ kind: "aborted" });
      });

      it("starts a second instance of a function whose first crashed", async () => {
        const first = await startObedient();
        await expect(callInstance(first, { exit: 3 })).rejects.toThrow();
        expect(await first.ended).toEqual({ code: 3, signal: undefined, isOutOfMemory: false });
        expect(await callInstance(await startObedient(), { echo: 2 })).toMatchObject({ value: 2 });
      });

      it("runs two images of a function beside each other", async () => {
        const images = await Promise.all(["old", "new"].map((code) => store({ "func.ts": typescriptFunction(code) })));
        const results = await Promise.all(images.map(({ image }) => runtime.start(specOf(image), never)));
        expect(await Promise.all(results.map((result) => callInstance(instanceOf(result), {})))).toEqual([
          { value: "old" },
          { value: "new" },
        ]);
      });
    });

    describe("images", () => {
      it("says that it cannot have an image it does not know, before it tries", async () => {
        expect(runtime.canRun("fnproject/hello:0.0.1")).toBe(false);
        const result = await runtime.start(specOf("fnproject/hello:0.0.1"), never);
        expect(result).toEqual({ kind: "image-unavailable", reason: expect.stringContaining("chaya deploy") });
      });

      it("says that a bundle is not stored", async () => {
        const { image } = await packBundle({ "func.js": obedient });
        expect(runtime.canRun(image)).toBe(true);
        expect(await runtime.prepare(image, never)).toMatchObject({ kind: "image-unavailable" });
        expect(await runtime.start(specOf(image), never)).toMatchObject({ kind: "image-unavailable" });
      });

      it("never runs a bundle that is damaged", async () => {
        const { image, digest, bytes } = await packBundle({ "func.js": obedient });
        bundles.set(digest, (await packBundle({ "func.js": "other code" })).bytes);
        expect(await runtime.start(specOf(image), never)).toMatchObject({ kind: "image-damaged" });
        bundles.set(digest, bytes);
        expect(await runtime.prepare(image, never)).toEqual({ kind: "ready" });
      });

      it("fetches a bundle once, however many ask for it, and again when it was forgotten", async () => {
        const { image, digest } = await store({ "func.js": obedient });
        const prepared = await Promise.all(Array.from({ length: 8 }, () => runtime.prepare(image, never)));
        expect(new Set(prepared.map(({ kind }) => kind))).toEqual(new Set(["ready"]));
        const instance = instanceOf(await runtime.start(specOf(image), never));
        expect(opened).toEqual([digest]);
        await runtime.forget([image]);
        expect(await callInstance(instance, { echo: "still there" })).toMatchObject({ value: "still there" });
        await instance.destroy();
        await runtime.prepare(image, never);
        expect(opened).toEqual([digest, digest]);
      });

      it("goes on fetching for the others when one gives up", async () => {
        const { image } = await store({ "func.js": obedient });
        const controller = new AbortController();
        const [gone, stays] = [runtime.prepare(image, controller.signal), runtime.prepare(image, never)];
        controller.abort(new Error("enough"));
        await expect(gone).rejects.toThrow("enough");
        expect(await stays).toEqual({ kind: "ready" });
      });

      it("says what a bundle lacks that has no entry point", async () => {
        const { image } = await store({ "readme.txt": "nothing to run" });
        expect(await runtime.start(specOf(image), never)).toEqual({
          kind: "failed",
          how: expect.stringContaining("no .chaya/bundle.json"),
        });
      });
    });

    describe("what a function sees", () => {
      it("has exactly its own environment, with the contract's variables above its configuration", async () => {
        const instance = await startObedient({ environment: { COLOUR: "blue", FN_TYPE: "mine", PATH: "/mine" } });
        const { value } = await callInstance(instance, { report: null });
        const { HOME, HOSTNAME, TMPDIR, FN_LISTENER, OCI_LOCAL_ENDPOINT, ...rest } = value.environment;
        expect(rest).toEqual({
          PATH: "/mine",
          COLOUR: "blue",
          FN_FORMAT: "http-stream",
          FN_MEMORY: "128",
          FN_TYPE: "sync",
          FN_FN_ID: "01ARZ3NDEKTSV4RRFFQ69FUNCT",
          FN_APP_ID: "01ARZ3NDEKTSV4RRFFQ69APP00",
          FN_FN_NAME: "hello",
          FN_APP_NAME: "demo",
        });
        expect([HOME, HOSTNAME, TMPDIR].every((text) => text !== "")).toBe(true);
        expect(OCI_LOCAL_ENDPOINT).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
        expect(FN_LISTENER).toMatch(/^unix:\/.*\/lsnr\.sock$/);
        expect(Buffer.byteLength(FN_LISTENER.slice(5))).toBeLessThanOrEqual(107);
      });

      it("has an empty temporary directory of its own and its code as working directory", async () => {
        const [first, second] = await Promise.all([startObedient(), startObedient()]);
        // The second looks after the first has written.
        const reports = [await callInstance(first, { report: null }), await callInstance(second, { report: null })];
        expect(reports.map(({ value }) => value.temporary)).toEqual([[], []]);
        expect(reports.map(({ value }) => value.isTemporaryWritable)).toEqual([true, true]);
        expect(new Set(reports.map(({ value }) => value.directory)).size).toBe(1);
      });

      it("has no descriptor beyond standard input, output and error", async () => {
        const entrypoint = ["/bin/sh", "-c", "ls -l /proc/self/fd; exit 4"];
        const manifest = { formatVersion: 1, runtime: "sh", entrypoint };
        const { image } = await store({ ".chaya/bundle.json": JSON.stringify(manifest) });
        expect(await runtime.start(specOf(image), never)).toEqual({ kind: "failed", how: "exit code 4" });
        const descriptors = new Map(
          printed().flatMap((line) => {
            const [, descriptor, target] = / (\d+) -> (\S+)$/.exec(line) ?? [];
            return descriptor === undefined || target === undefined ? [] : [[Number(descriptor), target] as const];
          }),
        );
        expect(descriptors.get(0)).toBe("/dev/null");
        // 3 is the directory that ls itself reads; what stands in for something of the server's leads nowhere.
        const others = [...descriptors].filter(([descriptor]) => descriptor > 3).map(([, target]) => target);
        expect(others.filter((target) => target !== "/dev/null")).toEqual([]);
        expect([1, 2, 3].every((descriptor) => descriptors.has(descriptor))).toBe(true);
      });
    });

    describe("the door", () => {
      it("leads to the platform, each to its own, and is closed with its instance", async () => {
        const doors = ["first", "second"].map((name) => {
          const connections: Socket[] = [];
          const onDoorConnection = (connection: Socket) => {
            connections.push(connection);
            connection.on("data", (bytes) => connection.write(`${name} heard ${bytes}`));
          };
          return { connections, onDoorConnection };
        });
        const [first, second] = await Promise.all(
          doors.map(({ onDoorConnection }) => startObedient({ onDoorConnection })),
        );
        if (first === undefined || second === undefined) expect.fail("two were started");
        expect(await callInstance(first, { knock: "a" })).toMatchObject({ value: "first heard a" });
        expect(await callInstance(second, { knock: "b" })).toMatchObject({ value: "second heard b" });
        await first.destroy();
        expect(await callInstance(second, { knock: "c" })).toMatchObject({ value: "second heard c" });
        await expect(callInstance(second, { exit: 0 })).rejects.toThrow();
        await second.destroy();
        expect(doors.map(({ connections }) => connections.map(({ destroyed }) => destroyed))).toEqual([
          [true],
          [true, true],
        ]);
      });
    });

    describeCredentials({ directory: () => directory, runtime: () => runtime, startObedient, startIn, printed });

    describe("output", () => {
      it("gives out lines in order, and what a call printed before its answer is read", async () => {
        const instance = await startObedient();
        for (const turn of ["1", "2", "3"]) {
          await callInstance(instance, { print: { stdout: `a${turn}\r\nb${turn}\n\nrest${turn}` } });
          await instance.flushOutput();
          expect(printed()).toEqual(["a", "b", "", "rest"].map((word) => `stdout: ${word}${word && turn}`));
          lines.length = 0;
        }
        await callInstance(instance, { print: { stderr: "e1\ne2\n" } });
        await instance.flushOutput();
        expect(printed()).toEqual(["stderr: e1", "stderr: e2"]);
      });

      it("cuts a line that is too long and goes on with the next", async () => {
        const instance = await startObedient();
        await callInstance(instance, { print: { stdout: `${"x".repeat(50_000)}\nshort\n` } });
        await instance.flushOutput();
        expect(lines.map((line) => [line.bytes.byteLength, line.isCut])).toEqual([
          [16_384, true],
          [5, false],
        ]);
      });
    });

    describe("ending", () => {
      it("destroys an instance with everything it started, and says how it ended", async () => {
        const instance = await startObedient();
        const { value: children } = await callInstance(instance, { breed: null });
        expect(children.every(isRunning)).toBe(true);
        await instance.destroy();
        expect(children.some(isRunning)).toBe(false);
        expect(await instance.ended).toEqual({ code: undefined, signal: "SIGKILL", isOutOfMemory: false });
        await instance.destroy();
      });

      it("ends the children of one that ended by itself", async () => {
        const instance = await startObedient();
        const { value: children } = await callInstance(instance, { breed: null });
        await expect(callInstance(instance, { signal: "SIGSEGV" })).rejects.toThrow();
        expect(await instance.ended).toEqual({ code: undefined, signal: "SIGSEGV", isOutOfMemory: false });
        await instance.destroy();
        expect(children.some(isRunning)).toBe(false);
      });

      it("destroys one that spins", async () => {
        const instance = await startObedient();
        const { value } = await callInstance(instance, { report: null });
        const spinning = expect(callInstance(instance, { spin: null })).rejects.toThrow();
        await instance.destroy();
        await spinning;
        expect(isRunning(value.pid)).toBe(false);
      });

      it("gives connections to an instance that is gone an error", async () => {
        const instance = await startObedient();
        await instance.destroy();
        await expect(callInstance(instance, { echo: 1 })).rejects.toThrow();
      });

      it("ends one that uses more memory than it may", async () => {
        const instance = await startObedient();
        expect(runtime.abilities.limitsMemory).toBe(true);
        expect(await callInstance(instance, { hoard: 40 })).toMatchObject({ value: "hoarded" });
        await callInstance(instance, { hoard: 120 }).catch(() => "it may be ended before it answers");
        expect(await instance.ended).toEqual({ code: undefined, signal: "SIGKILL", isOutOfMemory: true });
      });

      it("lets a leaking function say that its heap is full", async () => {
        const instance = await startObedient();
        await expect(callInstance(instance, { leak: null })).rejects.toThrow();
        expect((await instance.ended).isOutOfMemory).toBe(true);
      });

      it("ends everything when it is disposed, and starts nothing any more", async () => {
        const instance = await startObedient();
        const { value } = await callInstance(instance, { report: null });
        const starting = startIn("never");
        await runtime[Symbol.asyncDispose]();
        expect(await starting).toEqual({ kind: "aborted" });
        expect(isRunning(value.pid)).toBe(false);
        expect(await startIn("link")).toEqual({ kind: "aborted" });
      });
    });
  });
}

function instanceOf(result: StartResult): Instance {
  return result.kind === "started" ? result.instance : expect.fail(`not started: ${JSON.stringify(result)}`);
}
