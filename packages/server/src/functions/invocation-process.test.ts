import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProcessRuntime } from "../drivers/runtime/process/create-process-runtime.ts";
import { readProcess } from "../drivers/runtime/process/process-table.ts";
import { removeTree } from "../kernel/archive/index.ts";
import { systemClock } from "../kernel/clock.ts";
import { silentLogger } from "../kernel/logger.ts";
import { InvocationRig } from "../testing/invocation-rig.ts";
import { packBundle } from "../testing/pack-bundle.ts";
import type { FunctionRecord } from "./model.ts";

/** Speaks the contract by itself and does what the body says. */
const code = `
const { createServer } = require("node:http");
const { spawn } = require("node:child_process");
const path = process.env.FN_LISTENER.slice("unix:".length);
createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const told = JSON.parse(body);
  if (told.print) console.log(told.print);
  if (told.exit !== undefined) return process.exit(told.exit);
  if (told.kill) return process.kill(process.pid, told.kill);
  if (told.spin) {
    const child = spawn("sleep", ["600"], { stdio: "ignore" });
    console.log("child " + child.pid);
    process.on("SIGTERM", () => {});
    return setTimeout(() => { for (;;); }, 20);
  }
  response.end(JSON.stringify({ pid: process.pid, secret: process.env.SECRET }));
}).listen(path);
`;

describe("functions as processes", () => {
  let rig: InvocationRig;
  let fn: FunctionRecord;
  const directory = mkdtempSync(join(tmpdir(), "processes-"));
  beforeAll(async () => {
    const { image, bytes } = await packBundle({ "func.js": code });
    const runtime = await createProcessRuntime({
      directory: join(directory, "instances"),
      bundlesDirectory: join(directory, "bundles"),
      openBundle: async () => Readable.from([bytes]),
      clock: systemClock(),
      logger: silentLogger(),
      nodePath: process.execPath,
    });
    rig = await InvocationRig.open({ deps: { runtime, readSecrets: async () => ({ SECRET: "s" }) } });
    rig.owns(runtime);
    fn = rig.addFunction("process", { image, timeoutS: 3 });
  });
  afterAll(async () => {
    await rig[Symbol.asyncDispose]();
    await removeTree(directory);
  });

  const tell = (what: object) => rig.invoke(fn, JSON.stringify(what));
  const lineOf = (part: string) => rig.lines.find((line) => Buffer.from(line.bytes).toString().includes(part));

  it("answer, keep their process, and print lines that belong to the call", async () => {
    const first = await tell({ print: "hello from the call" });
    const second = await tell({});
    expect(first.status).toBe(200);
    expect(JSON.parse(second.body)).toEqual({ pid: JSON.parse(first.body).pid, secret: "s" });
    await rig.until(() => lineOf("hello from the call") !== undefined);
    expect(lineOf("hello from the call")?.callId).toBe(first.headers["fn-call-id"]);
  });

  it("that exit or die tell how", async () => {
    expect(JSON.parse((await tell({ exit: 3 })).body)).toMatchObject({
      code: "function-crashed",
      detail: "The function ended before it had answered: exit code 3.",
    });
    expect(JSON.parse((await tell({ kill: "SIGSEGV" })).body).detail).toContain("signal SIGSEGV");
    expect((await tell({})).status).toBe(200);
  });

  it("that spin and spawn are dead, children too, before their caller reads 504", async () => {
    const answered = tell({ spin: true });
    await rig.until(() => lineOf("child ") !== undefined);
    const child = Number(
      Buffer.from(lineOf("child ")?.bytes ?? "")
        .toString()
        .slice("child ".length),
    );
    expect(readProcess(child)).toBeDefined();
    await rig.clock.advance(3_100);
    expect((await answered).status).toBe(504);
    expect(readProcess(child)?.isZombie ?? true).toBe(true);
    expect((await tell({})).status).toBe(200);
  });

  it("whose image nobody has say so as Fn does", async () => {
    const missing = rig.addFunction("missing", { image: "registry.example/nope:1" });
    const answer = await rig.invoke(missing);
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body).message).toMatch(/^Failed to pull image 'registry.example\/nope:1': /);
  });
});
