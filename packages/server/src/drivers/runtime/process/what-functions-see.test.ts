import { mkdtemp } from "node:fs/promises";
import { wrap } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Script } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeTree } from "../../../kernel/archive/index.ts";
import { systemClock } from "../../../kernel/clock.ts";
import { silentLogger } from "../../../kernel/logger.ts";
import { noCredentials } from "../../../testing/no-credentials.ts";
import { type BundleEntry, packBundle } from "../../../testing/pack-bundle.ts";
import type { InstanceSpec, OutputLine, RuntimeDriver } from "../driver.ts";
import { createProcessRuntime } from "./create-process-runtime.ts";

const never = new AbortController().signal;

interface Manifest {
  readonly entrypoint: readonly string[];
  readonly runtime?: string;
  readonly codeCache?: string;
}

let directory: string;
let runtime: RuntimeDriver;
let lines: OutputLine[];
let bundle: Buffer;
let started = 0;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "runtime-"));
  lines = [];
  runtime = await createProcessRuntime({
    directory: join(directory, "instances"),
    bundlesDirectory: join(directory, "bundles"),
    openBundle: async () => Readable.from([bundle]),
    clock: systemClock(),
    logger: silentLogger(),
    nodePath: process.execPath,
    poolSizes: { processesMax: 2, idle: 1, active: 1 },
  });
});
afterEach(async () => {
  await runtime[Symbol.asyncDispose]();
  await removeTree(directory);
});

/** Runs a program that ends by itself; how it did, and what it said. */
async function run(
  files: Readonly<Record<string, BundleEntry>>,
  manifest: Manifest,
  environment: InstanceSpec["environment"] = {},
) {
  const json = JSON.stringify({ formatVersion: 1, runtime: "node", ...manifest });
  const { bytes, image } = await packBundle({ ...files, ".chaya/bundle.json": json });
  bundle = bytes;
  const result = await runtime.start(
    {
      ...{ instanceId: `I${++started}`, image, memoryMiB: 128, environment, startTimeoutMs: 10_000, network: "none" },
      ...{ functionId: "F", functionName: "f", applicationId: "A", applicationName: "a" },
      onLine: (line) => lines.push(line),
      credentials: noCredentials,
      onDoorConnection: (connection) => connection.destroy(),
    },
    never,
  );
  const said = lines.splice(0).map(({ stream, bytes }) => ({ stream, text: Buffer.from(bytes).toString() }));
  const of = (stream: OutputLine["stream"]) => said.filter((line) => line.stream === stream).map(({ text }) => text);
  return { result, stdout: of("stdout"), stderr: of("stderr"), notes: of("platform") };
}

const ends = (code: number) => ({ kind: "failed", how: `exit code ${code}` });

describe("a function in a process that waited for it", () => {
  const report = `
    const { readdirSync, readlinkSync } = require("node:fs");
    // Both are made when they are first used.
    void [process.stdout, process.stderr];
    const listeners = (event) => process.listeners(event).map(({ name }) => name);
    const sockets = readdirSync("/proc/self/fd").filter((fd) => {
      try { return readlinkSync("/proc/self/fd/" + fd).startsWith("socket:"); } catch { return false; }
    });
    console.log(JSON.stringify({
      properties: [...Object.getOwnPropertyNames(process), ...Object.getOwnPropertySymbols(process).map(String)].sort(),
      listeners: Object.fromEntries(process.eventNames().map((event) => [String(event), listeners(event)])),
      globals: Object.getOwnPropertyNames(globalThis).sort(),
      loaded: Object.keys(require.cache),
      found: Object.keys(require("node:module")._pathCache),
      argv: process.argv, title: process.title, exitCode: process.exitCode, umask: process.umask(),
      resources: process.getActiveResourcesInfo().filter((name) => name !== "Immediate"),
      isMain: require.main === module, parent: module.parent, id: module.id, paths: module.paths,
      environment: Object.keys(process.env).sort(), directory: process.cwd(), sockets,
    }, undefined, 1));
    process.exit(7);`;

  it("sees exactly what it sees when Node starts with it", async () => {
    const waited = await run({ "func.js": report }, { entrypoint: ["node", "func.js", "word"] });
    const fresh = await run({ "func.js": report }, { entrypoint: ["node", "--no-deprecation", "func.js", "word"] });
    expect([waited.result, fresh.result]).toEqual([ends(7), ends(7)]);
    expect([waited.notes.length, fresh.notes.length]).toEqual([0, 1]);
    const normal = (said: readonly string[]) =>
      JSON.parse(said.join("\n").replaceAll(/bundles\/boot-[^"]*?\/[0-9a-f]{64}/g, "code"));
    const { properties, ...seen } = normal(waited.stdout);
    const { properties: freshProperties, ...expected } = normal(fresh.stdout);
    expect(seen).toEqual(expected);
    // What the flag itself adds.
    expect(freshProperties.filter((name: string) => !properties.includes(name))).toEqual(["noDeprecation"]);
    expect(properties.filter((name: string) => !freshProperties.includes(name))).toEqual([]);
  });

  it("handles signals, and its stack traces name none of the platform's files", async () => {
    const code = `process.on("SIGUSR2", () => { throw new Error("got it"); });
      setInterval(() => {}, 1000);
      process.kill(process.pid, "SIGUSR2");`;
    const { result, stderr } = await run({ "func.js": code }, { entrypoint: ["node", "func.js"] });
    expect(result).toEqual(ends(1));
    expect(stderr.join("\n")).toMatch(/Error: got it\n\s+at process\.<anonymous> \(.*func\.js:1/);
    expect(stderr.join("\n")).not.toContain("pre-started");
  });

  it("is an ES module when its file is one", async () => {
    const code = `console.log(import.meta.main, process.argv.slice(2)); await import("node:os"); process.exit(7);`;
    const { result, stdout } = await run({ "func.mjs": code }, { entrypoint: ["node", "func.mjs", "a b"] });
    expect([result, stdout]).toEqual([ends(7), ["true [ 'a b' ]"]]);
  });
});

describe("code that was compiled when it was deployed", () => {
  const cacheOf = (source: string) => ({ content: new Script(wrap(source)).createCachedData() });
  const entry = { entrypoint: ["node", "func.cjs"], codeCache: ".chaya/cache" } as const;

  it("is what runs, without compiling", async () => {
    // V8 believes a cache whose source has the same length: so it can be seen which of the two ran.
    const files = { "func.cjs": `console.log("written")`, ".chaya/cache": cacheOf(`console.log("compile")`) };
    expect(await run(files, entry)).toMatchObject({ result: ends(0), stdout: ["compile"] });
  });

  it.each([
    ["of another source", cacheOf("1")],
    ["that is none", "damaged"],
    ["that is not there", undefined],
  ])("is compiled anew from a cache %s", async (_title, cache) => {
    const files = { "func.cjs": `console.log("written")`, ...(cache !== undefined && { ".chaya/cache": cache }) };
    expect(await run(files, entry)).toMatchObject({ result: ends(0), stdout: ["written"], stderr: [] });
  });

  it("is a main module like any: names, requires, imports, stacks", async () => {
    const source = `
      console.log(require.main === module, module.id, require("./other.cjs"), __filename.endsWith("func.cjs"), module.parent);
      import("./third.mjs").then(({ third }) => { console.log(third, require.cache[__filename].loaded); throw new Error("far"); });`;
    const files = {
      "func.cjs": source,
      "other.cjs": `module.exports = "other"`,
      "third.mjs": `export const third = "third"`,
    };
    const { result, stdout, stderr } = await run({ ...files, ".chaya/cache": cacheOf(source) }, entry);
    expect([result, stdout]).toEqual([ends(1), ["true . other true null", "third true"]]);
    expect(stderr.join("\n")).toMatch(/Error: far\n\s+at .*func\.cjs:3:/);
    expect(stderr.join("\n")).not.toMatch(/pre-started|cached-script|Warning/);
  });

  const mapped = (source: string, padding: string) => {
    const map = { version: 3, file: padding, sources: ["func.ts"], names: [], mappings: "AAAA;AAUA" };
    const url = `data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString("base64")}`;
    return `\n${source}\n//# sourceMappingURL=${url}\n`;
  };

  it.each([
    ["a small map", "", 'throw new Error("mapped")'],
    ["a large map", "x".repeat(400_000), 'throw new Error("mapped")'],
    ["a large map, later", "x".repeat(400_000), 'setTimeout(() => { throw new Error("mapped"); }, 400)'],
  ])("shows the lines of its source in stacks, whether it is cached or not: %s", async (_title, padding, code) => {
    const source = mapped(code, padding);
    const files = { "func.cjs": source, ".chaya/cache": cacheOf(source) };
    const withMaps = { ...entry, entrypoint: ["node", "--enable-source-maps", "func.cjs"] };
    for (const manifest of [withMaps, { ...withMaps, codeCache: "absent" }]) {
      const { result, stderr, notes } = await run(files, manifest);
      expect(result).toEqual(ends(1));
      expect(stderr.join("\n")).toMatch(/at .*func\.ts:11:1/);
      expect(notes).toEqual([]);
    }
  });
});

describe("a program that takes the place of the process", () => {
  const shell = (script: string): Manifest => ({ runtime: "any", entrypoint: ["/bin/sh", "-c", script] });

  it("ignores and blocks no signal, and has no descriptor but its output", async () => {
    const { stdout } = await run({}, shell("grep -E '^Sig(Ign|Blk)' /proc/self/status; umask; pwd; exit 4"));
    expect(stdout.map((line) => line.replace("\t", " "))).toEqual([
      "SigBlk: 0000000000000000",
      "SigIgn: 0000000000000000",
      "0022",
      expect.stringContaining("/bundles/"),
    ]);
  });

  it("is found in the PATH of its configuration, and may be a script without a first line for the kernel", async () => {
    const files = { "bin/tool": { mode: 0o755, content: 'echo "$0 $1 $PATH"; exit 5' } };
    const { result, stdout } = await run(files, { entrypoint: ["tool", "word"] }, { PATH: "/nowhere:./bin:/bin" });
    expect([result, stdout]).toEqual([ends(5), ["bin/tool word /nowhere:./bin:/bin"]]);
  });

  it.each([
    ["is not there", ["./none"], 127, "cannot start './none': No such file or directory"],
    ["may not be executed", ["./func"], 126, "cannot start './func': Permission denied"],
  ])("says so when it %s", async (_title, entrypoint, code, sentence) => {
    const { result, stderr } = await run({ func: "text" }, { entrypoint });
    expect([result, stderr]).toEqual([ends(code), [sentence]]);
  });

  it("is Node itself, with what it reads when it starts, and the log says why that takes longer", async () => {
    const files = { "func.js": "console.log(process.title, process.version); process.exit(6)" };
    const { result, stdout, notes } = await run(
      files,
      { entrypoint: ["node", "func.js"] },
      { NODE_OPTIONS: "--title=own" },
    );
    expect([result, stdout]).toEqual([ends(6), [`own ${process.version}`]]);
    expect(notes).toEqual([expect.stringMatching(/started plainly.*NODE_OPTIONS/)]);
  });

  it("is another Node when the bundle is for it; one that is not here is named", async () => {
    const files = { "func.js": "console.log(process.execPath); process.exit(6)" };
    const entrypoint = ["node", "func.js"];
    const here = await run(files, { entrypoint, runtime: process.execPath });
    expect([here.result, here.stdout]).toEqual([ends(6), [process.execPath]]);
    expect(here.notes).toEqual([expect.stringContaining(`its runtime is ${process.execPath}`)]);
    expect((await run(files, { entrypoint, runtime: "node9" })).result).toEqual({
      kind: "failed",
      how: expect.stringMatching(/its runtime is node9: no 'node9' and no 'node' of that version/),
    });
  });
});

describe("a Python function in an interpreter that waited for it", () => {
  const python = (...words: string[]): Manifest => ({ runtime: "python", entrypoint: ["python3", ...words] });
  const report = `
import json, os, sys
print(json.dumps({"name": __name__, "file": __file__.rsplit("/", 1)[-1], "argv": sys.argv, "globals": sorted(globals()),
  "path": [place.rsplit("/bundles/", 1)[-1].split("/")[2:] for place in sys.path[:3]],
  "environment": sorted(os.environ), "main": sys.modules["__main__"].__dict__ is globals(), "umask": os.umask(0)}))
sys.exit(7)`;

  it("sees exactly what it sees when Python starts with it", async () => {
    const files = { "func.py": report, ".chaya/python/package.py": "" };
    const waited = await run(files, python("func.py", "word"));
    const fresh = await run(files, python("-B", "func.py", "word"));
    expect([waited.result, fresh.result]).toEqual([ends(7), ends(7)]);
    expect([waited.notes.length, fresh.notes.length]).toEqual([0, 1]);
    const { environment, ...seen } = JSON.parse(waited.stdout.join());
    const { environment: freshEnvironment, ...expected } = JSON.parse(fresh.stdout.join());
    expect(seen).toEqual(expected);
    // Python itself sets this one where no locale is configured.
    expect(freshEnvironment.filter((name: string) => name !== "LC_CTYPE")).toEqual(environment);
  });

  it("has its packages, prints at once, and its tracebacks begin with its own lines", async () => {
    const code = `import os, package
print(package.name, end="")
os._exit(7) if package.name == "silent" else package.fail()`;
    const entry = python("func.py");
    const silent = await run({ "func.py": code, ".chaya/python/package.py": `name = "silent"` }, entry);
    expect([silent.result, silent.stdout]).toEqual([ends(7), ["silent"]]);
    const failing = {
      "func.py": code,
      ".chaya/python/package.py": `name = "loud"\ndef fail(): raise ValueError("no")`,
    };
    const { result, stderr } = await run(failing, entry);
    expect(result).toEqual(ends(1));
    expect(stderr[0]).toBe("Traceback (most recent call last):");
    expect(stderr[1]).toMatch(/^ {2}File ".*\/func\.py", line 3, in <module>$/);
    expect(stderr.at(-1)).toBe("ValueError: no");
  });

  it("runs the command of Fn's FDK when that is among its packages", async () => {
    const files = {
      "func.py": "def handler(): pass",
      ".chaya/python/fdk/__init__.py": "",
      ".chaya/python/fdk/scripts/__init__.py": "",
      ".chaya/python/fdk/scripts/fdk.py":
        "import os, sys\ndef main():\n  print(sys.argv[1:], os.path.exists(sys.argv[1]))\n  sys.exit(7)",
    };
    const command = ["/python/bin/fdk", "/function/func.py", "handler"];
    const waited = await run(files, { runtime: "python", entrypoint: command });
    expect([waited.result, waited.stdout]).toEqual([ends(7), ["['func.py', 'handler'] True"]]);
    const fresh = await run(files, { runtime: "python", entrypoint: command }, { PYTHONHASHSEED: "1" });
    expect([fresh.result, fresh.stdout]).toEqual([waited.result, waited.stdout]);
    expect(fresh.notes).toEqual([expect.stringContaining("PYTHONHASHSEED")]);
  });

  it("says that its file is not there", async () => {
    const { result, stderr } = await run({}, python("none.py"));
    expect([result, stderr]).toEqual([
      ends(2),
      [expect.stringMatching(/can't open file .*none\.py': \[Errno 2\] No such file/)],
    ]);
  });
});
