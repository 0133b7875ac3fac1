import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, readdir, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { removeTree } from "../../../kernel/archive/index.ts";
import { systemClock } from "../../../kernel/clock.ts";
import { silentLogger } from "../../../kernel/logger.ts";
import { noCredentials } from "../../../testing/no-credentials.ts";
import { packBundle } from "../../../testing/pack-bundle.ts";
import { type RuntimeUnderTest, runtimeConformance } from "../conformance.ts";
import { callInstance, obedient } from "../conformance-functions.ts";
import type { InstanceSpec } from "../driver.ts";
import { inspectionConformance } from "../inspection-conformance.ts";
import { languageConformance } from "../language-conformance.ts";
import { createProcessRuntime, type ProcessRuntimeOptions } from "./create-process-runtime.ts";
import { readBootId, readProcess } from "./process-table.ts";

const isRunning = (pid: number) => readProcess(pid)?.isZombie === false;
const never = new AbortController().signal;

function optionsIn(directory: string): Omit<ProcessRuntimeOptions, "openBundle"> {
  return {
    directory: join(directory, "instances"),
    bundlesDirectory: join(directory, "bundles"),
    clock: systemClock(),
    logger: silentLogger(),
    nodePath: process.execPath,
    poolSizes: { processesMax: 0, idle: 0, active: 0 },
  };
}

const underTest: RuntimeUnderTest = {
  make: ({ directory, openBundle, clock }) => {
    const poolSizes = { processesMax: 3, idle: 1, active: 2 };
    return createProcessRuntime({ ...optionsIn(directory), openBundle, clock, poolSizes });
  },
  isRunning,
};
runtimeConformance("process", underTest);
languageConformance("process", underTest);
inspectionConformance("process", underTest);

describe("the process runtime", () => {
  let directory: string;
  const spawned: ChildProcess[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "runtime-"));
  });
  afterEach(async () => {
    for (const child of spawned.splice(0)) child.kill("SIGKILL");
    await removeTree(directory);
  });

  const specOf = (image: string, changes: Partial<InstanceSpec> = {}): InstanceSpec => ({
    instanceId: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    image,
    functionId: "F",
    functionName: "f",
    applicationId: "A",
    applicationName: "a",
    memoryMiB: 128,
    environment: {},
    startTimeoutMs: 10_000,
    network: "outbound",
    onLine: () => {},
    credentials: noCredentials,
    onDoorConnection: (connection) => connection.destroy(),
    ...changes,
  });

  async function withRuntime(changes: Partial<ProcessRuntimeOptions> = {}) {
    const { image, bytes } = await packBundle({ "func.js": obedient });
    const openBundle = async () => Readable.from([bytes]);
    const runtime = await createProcessRuntime({ ...optionsIn(directory), openBundle, ...changes });
    return { runtime, image };
  }

  it("leaves no instance, not even one that spins, and none of its children when the server is killed", async () => {
    const { bytes, image } = await packBundle({ "func.js": obedient });
    await writeFile(join(directory, "bundle.tgz"), bytes);
    await writeFile(join(directory, "secret"), "what the server holds open");
    const script = join(directory, "server.mjs");
    await writeFile(script, serverScript({ directory, image }));
    await using secret = await open(join(directory, "secret"));
    // The server inherits a descriptor, as from a shell or a supervisor; Node itself takes care of the low ones only.
    const unused = Array.from({ length: 40 }, () => "ignore" as const);
    const server = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit", ...unused, secret.fd] });
    spawned.push(server);
    const [line] = await once(createInterface({ input: server.stdout ?? Readable.from([]) }), "line");
    const { pids, descriptors } = JSON.parse(line);
    expect(pids.length).toBe(3);
    expect(pids.every(isRunning)).toBe(true);
    expect(descriptors.filter((target: string) => target.startsWith(directory))).toEqual([]);
    server.kill("SIGKILL");
    await expect.poll(() => pids.filter(isRunning), { timeout: 1000, interval: 5 }).toEqual([]);
    const { runtime } = await withRuntime();
    expect(await readdir(join(directory, "instances"))).toEqual([]);
    await runtime[Symbol.asyncDispose]();
  });

  describe("after an earlier server", () => {
    async function leftover(name: string, makeRecord: (pid: number) => string) {
      const path = join(directory, "instances", name);
      await mkdir(join(path, "s"), { recursive: true });
      const make = (environment: Record<string, string>) => {
        const child = spawn("/bin/sleep", ["600"], { detached: true, stdio: "ignore", env: environment });
        spawned.push(child);
        return child.pid ?? expect.fail("not spawned");
      };
      const bystander = make({ FN_LISTENER: "unix:/elsewhere/lsnr.sock" });
      const named = make({ FN_LISTENER: `unix:${join(path, "s/lsnr.sock")}` });
      await writeFile(join(path, "process"), makeRecord(bystander));
      return { bystander, named };
    }

    it("ends processes whose environment names an instance's socket, and no process for its pid alone", async () => {
      const old = await leftover("old", (pid) => `${pid} ${(readProcess(pid)?.startTicks ?? 0) + 1} ${readBootId()}\n`);
      const other = await leftover("other-boot", (pid) => `${pid} ${readProcess(pid)?.startTicks} not-this-boot\n`);
      const { runtime } = await withRuntime();
      expect([old.named, other.named].some(isRunning)).toBe(false);
      expect([old.bystander, other.bystander].every(isRunning)).toBe(true);
      expect(await readdir(join(directory, "instances"))).toEqual([]);
      await runtime[Symbol.asyncDispose]();
    });

    it("ends a recorded process, whatever it did to its environment", async () => {
      const { bystander } = await leftover("old", (pid) => `${pid} ${readProcess(pid)?.startTicks} ${readBootId()}\n`);
      const { runtime } = await withRuntime();
      expect(isRunning(bystander)).toBe(false);
      await runtime[Symbol.asyncDispose]();
    });

    it("removes the sockets that lay elsewhere, unpacked code of other boots and unfinished unpackings", async () => {
      const elsewhere = join(directory, "elsewhere");
      await mkdir(elsewhere);
      await mkdir(join(directory, "instances/old"), { recursive: true });
      await symlink(elsewhere, join(directory, "instances/old/s"));
      await mkdir(join(directory, "bundles/boot-of-yesterday/digest"), { recursive: true });
      await mkdir(join(directory, `bundles/boot-${readBootId()}/.unpacking-x`), { recursive: true });
      const { runtime } = await withRuntime();
      await runtime[Symbol.asyncDispose]();
      expect(existsSync(elsewhere)).toBe(false);
      expect(await readdir(join(directory, "bundles"))).toEqual([`boot-${readBootId()}`]);
      expect(await readdir(join(directory, `bundles/boot-${readBootId()}`))).toEqual(["package.json"]);
    });
  });

  it("keeps sockets in a short directory when its own has too long a path", async () => {
    const deep = join(directory, "d".repeat(100));
    const short = join(directory, "s");
    await mkdir(short);
    const { runtime, image } = await withRuntime({ directory: deep, shortDirectory: short });
    const result = await runtime.start(specOf(image), never);
    if (result.kind !== "started") expect.fail(JSON.stringify(result));
    expect(await callInstance(result.instance, { echo: 1 })).toMatchObject({ value: 1 });
    expect((await readdir(short)).length).toBe(1);
    await runtime[Symbol.asyncDispose]();
    expect([await readdir(short), await readdir(deep)]).toEqual([[], []]);
  });

  it("does not let a package.json above the data directory decide what a function's file is", async () => {
    await writeFile(join(directory, "package.json"), '{"type":"module"}');
    const { runtime, image } = await withRuntime();
    expect(await runtime.start(specOf(image), never)).toMatchObject({ kind: "started" });
    await runtime[Symbol.asyncDispose]();
  });

  it.each([
    ["a value with U+0000", { environment: { TOKEN: "hunter2\0" } }, /holds U\+0000$/],
    [
      "a value that is too large for the system",
      { environment: { A: "x".repeat(3_000_000) } },
      /environment is too large/,
    ],
  ])("says what was wrong with %s, and leaves nothing", async (_title, changes, expected) => {
    const { runtime, image } = await withRuntime();
    const result = await runtime.start(specOf(image, changes), never);
    expect(result).toEqual({ kind: "failed", how: expect.stringMatching(expected) });
    expect(JSON.stringify(result)).not.toContain("hunter2");
    expect(await readdir(join(directory, "instances"))).toEqual([]);
    await runtime[Symbol.asyncDispose]();
  });

  it("says of a program that is not there what the system says", async () => {
    const { image, bytes } = await packBundle({ "func.yaml": "entrypoint: ./missing --flag\n" });
    const { runtime } = await withRuntime({ openBundle: async () => Readable.from([bytes]) });
    const lines: string[] = [];
    const onLine: InstanceSpec["onLine"] = (line) => lines.push(Buffer.from(line.bytes).toString());
    const result = await runtime.start(specOf(image, { onLine }), never);
    expect(result).toMatchObject({ kind: "failed" });
    expect(`${lines.join()} ${JSON.stringify(result)}`).toMatch(/No such file|ENOENT/);
    await runtime[Symbol.asyncDispose]();
  });
});

/** A server that has nothing but this runtime and one instance that spins. */
function serverScript({ directory, image }: { readonly directory: string; readonly image: string }): string {
  const at = (path: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, path)).href);
  return `
import { createReadStream, readdirSync, readlinkSync } from "node:fs";
import { createProcessRuntime } from ${at("create-process-runtime.ts")};
import { callInstance } from ${at("../conformance-functions.ts")};
import { systemClock } from ${at("../../../kernel/clock.ts")};
import { silentLogger } from ${at("../../../kernel/logger.ts")};
const directory = ${JSON.stringify(directory)};
const runtime = await createProcessRuntime({
  directory: directory + "/instances", bundlesDirectory: directory + "/bundles", nodePath: process.execPath,
  openBundle: async () => createReadStream(directory + "/bundle.tgz"), clock: systemClock(), logger: silentLogger(),
});
const spec = ${JSON.stringify({ instanceId: "01ARZ3NDEKTSV4RRFFQ69G5FAV", image, functionId: "F", functionName: "f", applicationId: "A", applicationName: "a", memoryMiB: 128, environment: {}, startTimeoutMs: 10_000, network: "outbound" })};
const { instance } = await runtime.start({ ...spec, credentials: { variables: {}, files: Promise.resolve({}) }, onLine: () => {} }, new AbortController().signal);
const { value: { pid } } = await callInstance(instance, { report: null });
const { value: children } = await callInstance(instance, { breed: null });
const descriptors = "/proc/" + children[0] + "/fd/";
callInstance(instance, { spin: null });
console.log(JSON.stringify({
  pids: [pid, ...children],
  descriptors: readdirSync(descriptors).map((name) => readlinkSync(descriptors + name)),
}));
setInterval(() => {}, 1000);
`;
}
