import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeTree } from "../../kernel/archive/index.ts";
import { systemClock } from "../../kernel/clock.ts";
import { Debugger } from "../../testing/debugger.ts";
import { noCredentials } from "../../testing/no-credentials.ts";
import { type BundleEntry, packBundle } from "../../testing/pack-bundle.ts";
import type { RuntimeUnderTest } from "./conformance.ts";
import { callInstance, obedient, typescriptFunction } from "./conformance-functions.ts";
import type { Inspector, InstanceSpec, OutputLine, RuntimeDriver, StartResult } from "./driver.ts";

const never = new AbortController().signal;

/** What runtimes must do that declare `inspects`, with a debugger as developers have it. */
export function inspectionConformance(name: string, { make, isRunning }: RuntimeUnderTest): void {
  describe(`the runtime '${name}', asked to inspect,`, () => {
    let directory: string;
    let runtime: RuntimeDriver;
    let lines: OutputLine[];
    let bridges: Server[];
    const bundles = new Map<string, Buffer>();

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), "runtime-"));
      [lines, bridges] = [[], []];
      const openBundle = async (digest: string) => Readable.from([bundles.get(digest) ?? ""]);
      runtime = await make({ directory, openBundle, clock: systemClock() });
    });
    afterEach(async () => {
      await runtime[Symbol.asyncDispose]();
      for (const bridge of bridges) bridge.close();
      await removeTree(directory);
    });

    interface Begun {
      readonly start: Promise<StartResult>;
      readonly inspector: Promise<Inspector>;
    }

    async function begin(
      entries: Readonly<Record<string, BundleEntry>>,
      { signal = never, ...changes }: Partial<InstanceSpec> & { readonly signal?: AbortSignal } = {},
    ): Promise<Begun> {
      const { image, digest, bytes } = await packBundle(entries);
      bundles.set(digest, bytes);
      const opened = Promise.withResolvers<Inspector>();
      const spec: InstanceSpec = {
        instanceId: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        image,
        functionId: "F",
        functionName: "hello",
        applicationId: "A",
        applicationName: "demo",
        memoryMiB: 128,
        environment: {},
        startTimeoutMs: 60_000,
        network: runtime.abilities.isolatesNetwork === true ? "none" : "outbound",
        onLine: (line) => lines.push(line),
        credentials: noCredentials,
        onDoorConnection: (connection) => connection.destroy(),
        onInspector: opened.resolve,
        ...changes,
      };
      return { start: runtime.start(spec, signal), inspector: opened.promise };
    }

    /** As the platform does for a developer: a port of this machine behind which the inspector is. */
    async function addressOf(inspector: Inspector): Promise<string> {
      const bridge = createServer((socket) => {
        inspector.connect().then(
          (inside) => {
            socket.on("error", () => inside.destroy()).pipe(inside);
            inside.on("error", () => socket.destroy()).pipe(socket);
          },
          () => socket.destroy(),
        );
      }).listen(0, "127.0.0.1");
      bridges.push(bridge);
      await once(bridge, "listening");
      // A listener on TCP has an address of this kind.
      const { port } = bridge.address() as AddressInfo;
      const answer = await fetch(`http://127.0.0.1:${port}/json/list`);
      // Node's own answer.
      const [target] = (await answer.json()) as { webSocketDebuggerUrl: string }[];
      return target?.webSocketDebuggerUrl ?? "";
    }

    const printed = () => lines.map(({ stream, bytes }) => `${stream}: ${Buffer.from(bytes)}`);

    it("waits for a debugger before the function's first line, then starts as ever", async () => {
      const { start, inspector } = await begin({ "func.js": `console.log("first line");${obedient}` });
      const attached = await Debugger.attach(await addressOf(await inspector));
      const { reason, callFrames } = await attached.begin();
      expect(reason).toBe("Break on start");
      expect(attached.script(/\/func\.js$/).scriptId).toBe(callFrames[0].location.scriptId);
      expect(printed()).not.toContain("stdout: first line");
      await attached.send("Debugger.resume");
      const result = await start;
      if (result.kind !== "started") expect.fail(result.kind);
      expect(await callInstance(result.instance, { echo: 1 })).toEqual({ path: "/call", value: 1 });
      expect(printed()).toContain("stdout: first line");
      await result.instance.destroy();
      await attached.closed;
      await expect((await inspector).connect()).rejects.toThrow("takes no connection");
    });

    it("never prints the secret that the inspector's address has", async () => {
      const { inspector } = await begin({ "func.js": obedient });
      const { pathname } = new URL(await addressOf(await inspector));
      expect(pathname).toMatch(/^\/[\da-f-]{36}$/);
      expect(printed().join("\n")).not.toContain(pathname.slice(1));
    });

    it("lets several debuggers in, one after the other and at once", async () => {
      const { inspector } = await begin({ "func.js": obedient });
      const address = await addressOf(await inspector);
      const [one, other] = [await Debugger.attach(address), await Debugger.attach(address)];
      one.close();
      await one.closed;
      expect((await other.begin()).reason).toBe("Break on start");
      other.close();
    });

    it("pauses in ES modules and in TypeScript", async () => {
      const { start, inspector } = await begin({
        "package.json": '{"type":"module"}',
        "func.ts": typescriptFunction("typed"),
      });
      const attached = await Debugger.attach(await addressOf(await inspector));
      const { callFrames } = await attached.begin();
      expect(attached.script(/\/func\.ts$/).scriptId).toBe(callFrames[0].location.scriptId);
      await attached.send("Debugger.resume");
      const result = await start;
      if (result.kind !== "started") expect.fail(result.kind);
      expect(await callInstance(result.instance, {})).toEqual({ value: "typed" });
    });

    it("keeps its address out of the log when it ends too", async () => {
      const { start, inspector } = await begin({
        "func.js": `setTimeout(() => process.exit(3), 500); console.error("runs");`,
      });
      const attached = await Debugger.attach(await addressOf(await inspector));
      await attached.begin();
      await attached.send("Debugger.resume");
      // Node says where the inspector was when the last debugger has left before the end.
      attached.close();
      expect(await start).toMatchObject({ kind: "failed", how: expect.stringContaining("3") });
      await expect.poll(printed).toContain("stderr: runs");
      expect(printed().filter((line) => line.includes("ws://"))).toEqual([]);
    });

    it("gives the function what it has else: its environment, no descriptor and no word of the debugger's", async () => {
      const code = `console.log(JSON.stringify([process.argv.slice(2), process.execArgv.join(" "), process.env.COLOUR]));`;
      const look = `console.log(require("node:fs").readdirSync("/proc/self/fd").length > 40);${obedient}`;
      const { inspector } = await begin(
        {
          "func.js": code + look,
          ".chaya/bundle.json": JSON.stringify({
            ...{ formatVersion: 1, runtime: "node", entrypoint: ["node", "--expose-gc", "func.js", "word"] },
          }),
        },
        { environment: { COLOUR: "blue", NODE_OPTIONS: "--no-warnings" } },
      );
      const attached = await Debugger.attach(await addressOf(await inspector));
      await attached.begin();
      await attached.send("Debugger.resume");
      const expected = 'stdout: [["word"],"--max-old-space-size=96 --expose-gc","blue"]';
      await expect.poll(printed).toEqual(expect.arrayContaining([expected, "stdout: false"]));
    });

    it.each([
      ["console.error('cannot go on'); process.exit(3)", "exit code 3"],
      ["console.error('cannot go on'); process.abort()", "signal SIGABRT"],
    ])("tells how one ended that did not come so far, and what it printed: %s", async (code, how) => {
      const { start, inspector } = await begin({ "func.js": code });
      const attached = await Debugger.attach(await addressOf(await inspector));
      await attached.begin();
      await attached.send("Debugger.resume");
      // Any Node that exits waits until its debugger lets go.
      attached.close();
      expect(await start).toEqual({ kind: "failed", how });
      expect(printed()).toContain("stderr: cannot go on");
    });

    it("leaves nothing of one that is given up while it waits", async () => {
      const giving = new AbortController();
      const { start, inspector } = await begin({ "func.js": obedient }, { signal: giving.signal });
      const attached = await Debugger.attach(await addressOf(await inspector));
      const { callFrames } = await attached.begin();
      const { callFrameId } = callFrames[0];
      const { result } = await attached.send("Debugger.evaluateOnCallFrame", {
        callFrameId,
        expression: "process.pid",
      });
      expect(isRunning(result.value)).toBe(true);
      giving.abort();
      expect(await start).toEqual({ kind: "aborted" });
      expect(isRunning(result.value)).toBe(false);
      await attached.closed;
    });

    it.each([
      ["a program that is run once a call", { format: "stdio", entrypoint: ["cat"] }, /format is stdio/],
      ["another program", { entrypoint: ["python3", "func.py"] }, /runs 'python3'/],
    ])("refuses %s", async (_what, how, reason) => {
      const manifest = JSON.stringify({ formatVersion: 1, runtime: "any", ...how });
      const { start } = await begin({ ".chaya/bundle.json": manifest, "func.py": "" });
      expect(await start).toEqual({ kind: "not-inspectable", reason: expect.stringMatching(reason) });
    });
  });
}
