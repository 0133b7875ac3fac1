import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Debugger } from "../packages/server/src/testing/debugger.ts";
import { exchangeRaw, RawClient } from "../packages/server/src/testing/raw-http.ts";
import { requireToolchains } from "../scripts/toolchains.ts";
import { read, send, until } from "./calls.ts";
import { deployCode } from "./deploy-code.ts";
import { processesWith } from "./processes.ts";
import { chayaBin, type ServerProcess, startServerProcess } from "./server-process.ts";

/** Large enough for a V8 code cache. */
const source = `import { handle } from "@chaya/fdk";

interface Input {
  readonly name: string;
}

const padding = "${"x".repeat(70_000)}";

handle(async ({ name }: Input, context) => {
  const greeting: string = "Hello " + name;
  const leftMs = context.deadline.getTime() - Date.now();
  return { greeting, leftMs, padding: padding.length, execArgv: process.execArgv };
});
`;
const breakLine = lineOf("const leftMs");
const moreThanTheTimeoutMs = 1_300;

/** Looks for inspectors on every port of the loopback that it sees. */
const snoop = `
const fs = require("node:fs");
require("@fnproject/fdk").handle(async () => {
  const rows = fs.readFileSync("/proc/net/tcp", "latin1").split("\\n").map((row) => row.trim().split(/\\s+/));
  const ports = rows.filter((row) => row[3] === "0A").map((row) => parseInt(row[1].split(":")[1], 16));
  const ask = (port) => fetch("http://127.0.0.1:" + port + "/json/list", { signal: AbortSignal.timeout(2000) })
    .then((answer) => answer.json())
    .then((targets) => targets[0]?.webSocketDebuggerUrl ?? [])
    .catch(() => []);
  return (await Promise.all(ports.map(ask))).flat();
});`;

/** `chaya invoke … --inspect` in a process of its own. */
interface InspectedCall {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  /** What it printed and how it ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
  /** Where it says that the debugger can attach. */
  address(): Promise<string>;
}

describe.each(["none", "bwrap"])("chaya invoke --inspect, with --sandbox %s,", (sandbox) => {
  let server: ServerProcess;
  let folder: string;
  const calls: ChildProcess[] = [];

  beforeAll(async () => {
    if (sandbox === "bwrap") requireToolchains("bwrap");
    folder = mkdtempSync(join(tmpdir(), "chaya-inspect-"));
    server = await startServerProcess({ environment: { CHAYA_SANDBOX: sandbox } });
    deploy("hello", { "func.ts": source }, "runtime: typescript\ntimeout: 1\n");
  });
  afterEach(() => {
    for (const child of calls.splice(0)) child.kill("SIGKILL");
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it("pauses before the first line and at a line of the TypeScript source, for longer than the timeout", async () => {
    const call = invoke(["hello"], { name: "Ada" });
    const attached = await Debugger.attach(await call.address());
    const first = await attached.begin();
    expect(first.reason).toBe("Break on start");
    const script = attached.script(/func\.bundle\.cjs$/);
    expect(first.callFrames[0].location).toMatchObject({ scriptId: script.scriptId, lineNumber: 0 });
    // Whoever debugs it sees the source, wherever he is.
    const map = mapOf(script);
    expect(map.payload.sourcesContent).toContain(source);
    const { lineNumber, columnNumber } = generatedPlace(map, breakLine);
    const { breakpointId } = await attached.send("Debugger.setBreakpointByUrl", {
      ...{ url: script.url, lineNumber, columnNumber },
    });
    await pause(moreThanTheTimeoutMs);
    await attached.send("Debugger.resume");
    const [frame] = (await attached.next("Debugger.paused")).callFrames;
    expect(map.findEntry(frame.location.lineNumber, frame.location.columnNumber)).toMatchObject({
      originalLine: breakLine,
    });
    const { callFrameId } = frame;
    const name = await attached.send("Debugger.evaluateOnCallFrame", { callFrameId, expression: "name" });
    expect(name.result.value).toBe("Ada");
    expect((await runningCalls()).map(({ function: fn }) => fn)).toEqual(["hello"]);
    await pause(moreThanTheTimeoutMs);
    await attached.send("Debugger.removeBreakpoint", { breakpointId });
    await attached.send("Debugger.resume");
    const { code, stdout, stderr } = await call.ended;
    expect(code, stderr).toBe(0);
    const answer = JSON.parse(stdout);
    // Its children would wait for a debugger that never comes.
    const execArgv = expect.not.arrayContaining([expect.stringContaining("inspect")]);
    expect(answer).toEqual({ greeting: "Hello Ada", padding: 70_000, leftMs: expect.any(Number), execArgv });
    expect(answer.leftMs).toBeGreaterThan(60_000);
    await attached.closed;
    if (sandbox === "none") {
      const code = dirname(fileURLToPath(script.url));
      expect(existsSync(join(code, ".chaya/code-cache"))).toBe(true);
    }
  });

  it("tells the address of the port that it listens on, which is another one when that is taken", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const address = taken.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const call = invoke(["hello", "--inspect-port", String(port)], { name: "Ada" });
    const url = new URL(await call.address());
    taken.close();
    expect(Number(url.port)).toBeGreaterThan(port);
    expect(call.stderr()).toContain(`Port ${port} is taken.`);
    for (const name of ["127.0.0.1", "localhost"]) {
      const asked = `GET /json/list HTTP/1.1\r\nHost: ${name}:${url.port}\r\nConnection: close\r\n\r\n`;
      const answer = await exchangeRaw(Number(url.port), asked);
      expect(JSON.parse(answer?.body ?? "")[0].webSocketDebuggerUrl).toBe(`ws://${name}:${url.port}${url.pathname}`);
    }
    // A page of another site that points its own name here (DNS rebinding).
    const rebound = `GET /json/list HTTP/1.1\r\nHost: evil.example:${url.port}\r\nConnection: close\r\n\r\n`;
    expect((await exchangeRaw(Number(url.port), rebound))?.body).not.toContain(url.pathname);
  });

  it("runs on an instance of its own, which ends with the call, while others are served as ever", async () => {
    const fnId = await functionId("hello");
    expect((await send(`${server.url}/invoke/${fnId}`, { name: "before" })).status).toBe(200);
    const call = invoke(["hello"], { name: "Ada" });
    const attached = await Debugger.attach(await call.address());
    await attached.begin();
    const { text } = await send(`${server.url}/invoke/${fnId}`, { name: "beside" });
    expect(JSON.parse(text)).toMatchObject({ greeting: "Hello beside" });
    const before = inspectedProcesses();
    expect(before.length).toBeGreaterThan(0);
    await attached.send("Debugger.resume");
    expect((await call.ended).stdout).toContain("Hello Ada");
    await until(() => inspectedProcesses().length === 0 || undefined, "the end of the inspected instance");
    expect(await logText("hello")).not.toMatch(/ws:\/\//);
  });

  it("ends the instance when the command goes away, while it waits and while it is paused in a call", async () => {
    const waiting = invoke(["hello"], { name: "Ada" });
    await waiting.address();
    expect(inspectedProcesses().length).toBeGreaterThan(0);
    waiting.child.kill("SIGKILL");
    await until(() => inspectedProcesses().length === 0 || undefined, "the end of the instance that waited");

    const paused = invoke(["hello"], { name: "Ada" });
    const attached = await Debugger.attach(await paused.address());
    await attached.begin();
    paused.child.kill("SIGINT");
    await attached.closed;
    await until(() => inspectedProcesses().length === 0 || undefined, "the end of the instance that was paused");
  });

  it("is seen by no other function where each has a network of its own", async () => {
    const snoopId = await deployCode(server.url, { app: "inspected", name: "snoop", code: snoop });
    const call = invoke(["hello"], { name: "Ada" });
    const { pathname } = new URL(await call.address());
    const { text } = await send(`${server.url}/invoke/${snoopId}`, undefined);
    const found: readonly string[] = JSON.parse(text);
    expect(found.map((url) => new URL(url).pathname).includes(pathname)).toBe(sandbox === "none");
    if (sandbox === "bwrap") expect(found).toEqual([]);
  });

  it("says why a function cannot be inspected, and what to do", async () => {
    deploy("program", { "func.sh": "cat\n" }, "runtime: bash\nentrypoint: bash func.sh\nformat: stdio\n");
    const { code, stderr } = await invoke(["program"], {}).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/cannot be inspected: its format is stdio/);
    expect(stderr).toMatch(/without --inspect/);
  });

  it("tells a function's failure as every call does", async () => {
    deploy("failing", { "func.js": `throw new Error("broken from the start");` }, "runtime: node\n");
    const call = invoke(["failing"], {});
    const attached = await Debugger.attach(await call.address());
    await attached.begin();
    await attached.send("Debugger.resume");
    // As any Node: it stays until the debugger lets go.
    attached.close();
    const { code, stderr } = await call.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/broken from the start/);
    expect(stderr).toMatch(/instance-start-failed/);
  });

  it("is for whoever may use the control door, by a name of the server's own", async () => {
    const fnId = await functionId("hello");
    const prepare = (headers: Readonly<Record<string, string>>) =>
      send(`${server.url}/chaya/v1/functions/${fnId}/inspections`, undefined, { headers });
    expect((await prepare({ origin: "http://evil.example" })).status).toBe(403);
    expect((await prepare({ authorization: "Bearer guessed" })).status).toBe(401);
    const { id } = JSON.parse((await prepare({})).text);
    const path = `/chaya/v1/inspections/${id}/inspector`;
    const port = Number(new URL(server.url).port);
    const upgrade = "Connection: Upgrade\r\nUpgrade: chaya-inspector\r\n";
    for (const [head, status] of [
      [`Host: evil.example\r\n${upgrade}`, 421],
      [`Host: localhost\r\nOrigin: http://evil.example\r\n${upgrade}`, 403],
      ["Host: localhost\r\nConnection: close\r\n", 400],
    ] as const)
      expect((await exchangeRaw(port, `GET ${path} HTTP/1.1\r\n${head}\r\n`))?.status).toBe(status);
    const unknown = await RawClient.connect(port);
    unknown.send(`GET ${path.replace(id, "01ARZ3NDEKTSV4RRFFQ69G5FAV")} HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n`);
    await unknown.closed;
  });

  function deploy(name: string, files: Readonly<Record<string, string>>, more: string): void {
    const place = join(folder, name);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "func.yaml"), `schema_version: 20180708\nname: ${name}\n${more}`);
    for (const [path, text] of Object.entries(files)) writeFileSync(join(place, path), text);
    const words = [chayaBin, "deploy", "--app", "inspected"];
    const { status, stderr } = spawnSync(process.execPath, words, { cwd: place, env: environment(), encoding: "utf8" });
    if (status !== 0) throw new Error(`${name} was not deployed: ${stderr}`);
  }

  function invoke([name = "", ...words]: readonly string[], input: object): InspectedCall {
    const line = [chayaBin, "invoke", "inspected", name, "--inspect", ...words];
    const child = spawn(process.execPath, line, { env: environment(), stdio: ["pipe", "pipe", "pipe"] });
    calls.push(child);
    child.stdin.end(JSON.stringify(input));
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) child[name].on("data", (chunk) => (texts[name] += chunk));
    const ended = once(child, "close").then(() => ({ code: child.exitCode, ...texts }));
    return {
      ...{ child, ended, stderr: () => texts.stderr },
      address: () =>
        until(() => {
          if (child.exitCode !== null) throw new Error(`the command ended: ${texts.stderr}`);
          return /^Debugger listening on (ws:\S+)$/m.exec(texts.stderr)?.[1];
        }, "the address of the inspector"),
    };
  }

  function environment() {
    return { PATH: process.env.PATH ?? "", HOME: folder, CHAYA_URL: server.url };
  }

  /** Of the inspected instances of `hello`: those of its pool were never told to wait for a debugger. */
  function inspectedProcesses(): readonly number[] {
    return processesWith("FN_FN_NAME=hello").filter((pid) => commandLine(pid).includes("--inspect-brk"));
  }

  async function functionId(name: string): Promise<string> {
    const { items } = await read<{ items: readonly { id: string }[] }>(`${server.url}/v2/apps?name=inspected`);
    const query = `app_id=${items[0]?.id}&name=${name}`;
    const functions = await read<{ items: readonly { id: string }[] }>(`${server.url}/v2/fns?${query}`);
    return functions.items[0]?.id ?? "";
  }

  async function runningCalls() {
    return await until(async () => {
      const list = `${server.url}/chaya/v1/calls?status=running`;
      const { items } = await read<{ items: readonly { function: string }[] }>(list);
      return items.length > 0 ? items : undefined;
    }, "the record of a call that runs");
  }

  async function logText(fn: string): Promise<string> {
    return (await send(`${server.url}/chaya/v1/logs?app=inspected&fn=${fn}`, undefined, { method: "GET" })).text;
  }
});

function commandLine(pid: number): string {
  return spawnSync("cat", [`/proc/${pid}/cmdline`], { encoding: "utf8" }).stdout.replaceAll("\0", " ");
}

function lineOf(text: string): number {
  return source.split("\n").findIndex((line) => line.includes(text));
}

function mapOf({ sourceMapURL }: { readonly sourceMapURL: string }): SourceMap {
  const [, base64 = ""] = /^data:application\/json;base64,(.*)$/.exec(sourceMapURL) ?? [];
  return new SourceMap(JSON.parse(Buffer.from(base64, "base64").toString()));
}

/** Where the script has the beginning of a line of func.ts. */
function generatedPlace(map: SourceMap, originalLine: number) {
  for (let lineNumber = 0; lineNumber < 20_000; lineNumber++) {
    for (let columnNumber = 0; columnNumber < 40; columnNumber++) {
      const entry = map.findEntry(lineNumber, columnNumber);
      if (!("originalSource" in entry) || !entry.originalSource.endsWith("func.ts")) continue;
      if (entry.originalLine === originalLine && entry.generatedLine === lineNumber)
        return { lineNumber, columnNumber: entry.generatedColumn };
    }
  }
  throw new Error(`the map has no line ${originalLine} of func.ts`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
