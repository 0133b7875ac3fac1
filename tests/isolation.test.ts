import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { endedCall, runningCall, send, until } from "./calls.ts";
import { deployCode } from "./deploy-code.ts";
import { childrenOf, isAlive, processesWith } from "./processes.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { wildFunction } from "./wild-function.ts";

/** A secret of whoever started the server. */
const marker = { MARKER_OF_THE_SERVER: "seen", CHAYA_TEA: "green", NODE_OPTIONS: "--max-semi-space-size=8" };

describe("a function's process", () => {
  let server: ServerProcess;
  let fnId: string;
  let appId: string;
  beforeAll(async () => {
    server = await startServerProcess({ environment: marker });
    const config = { MINE: "yes" };
    fnId = await deployCode(server.url, { app: "alone", name: "fn", code: wildFunction, config, memory: 96 });
    const { text } = await send(`${server.url}/v2/fns/${fnId}`, undefined, { method: "GET" });
    appId = JSON.parse(text).app_id;
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it("has the environment of its configuration and of Fn's contract, and nothing of the server's", async () => {
    const environment = await answer({ environment: null });
    const { PATH, HOME, TMPDIR, HOSTNAME, FN_LISTENER, OCI_LOCAL_ENDPOINT, ...others } = environment;
    const { OCI_RESOURCE_PRINCIPAL_RPST, OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM, ...rest } = others;
    for (const path of [OCI_RESOURCE_PRINCIPAL_RPST, OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM]) expect(path).toMatch(/^\//);
    expect(rest).toEqual({
      ...{ OCI_RESOURCE_PRINCIPAL_VERSION: "2.2", OCI_RESOURCE_PRINCIPAL_REGION: "us-ashburn-1" },
      ...{ MINE: "yes", FN_FORMAT: "http-stream", FN_MEMORY: "96", FN_TYPE: "sync" },
      ...{ FN_FN_ID: fnId, FN_FN_NAME: "fn", FN_APP_ID: appId, FN_APP_NAME: "alone" },
    });
    expect(OCI_LOCAL_ENDPOINT).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(HOME).toBe(TMPDIR);
    expect(HOSTNAME).toMatch(/\w/);
    expect(FN_LISTENER).toMatch(/^unix:\/.*lsnr\.sock$/);
    expect(PATH).toContain("/usr/bin");
  });

  it("keeps nothing of the server's environment where the kernel shows it", async () => {
    const pid = await answer({ pid: null });
    expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toMatch(/MARKER|CHAYA|NODE_OPTIONS/);
  });

  it("holds no file, directory or socket of the server", async () => {
    const descriptors: readonly (readonly [string, string])[] = await answer({ descriptors: null });
    const targets = descriptors.map(([, target]) => target);
    const directory = (await answer({ environment: null })).FN_LISTENER.slice("unix:".length).replace(
      /lsnr\.sock$/,
      "",
    );
    for (const target of targets) {
      const isOwn = /^(pipe|anon_inode|socket):/.test(target) || target === "/dev/null" || target.startsWith(directory);
      expect(isOwn || /^\/(proc|dev\/urandom)/.test(target), target).toBe(true);
    }
    // What the server has open: its listener and the connection of this call are not among them.
    const mine = new Set(targets.filter((target) => target.startsWith("socket:")));
    const servers = descriptorsOf(server.child.pid ?? 0).filter((target) => mine.has(target));
    expect(servers).toEqual([]);
  });

  it("has a temporary directory of its own that goes with it", async () => {
    const twin = await deployCode(server.url, { app: "alone", name: "twin", code: wildFunction });
    const first = await answer({ temporary: "one" });
    const second = await answer({ temporary: "two" }, twin);
    expect(first.there).toEqual([]);
    expect(second.there).toEqual([]);
    expect(second.directory).not.toBe(first.directory);
    await send(`${server.url}/invoke/${twin}`, { exit: 0 });
    await until(() => !existsSync(second.directory) || undefined, "the end of the directory");
    expect(existsSync(first.directory)).toBe(true);
  });

  // biome-ignore lint/suspicious/noExplicitAny: each command of the wild function answers with JSON of its own form.
  async function answer(input: object, id = fnId): Promise<any> {
    const { status, text } = await send(`${server.url}/invoke/${id}`, input);
    expect(status, text).toBe(200);
    return JSON.parse(text);
  }
});

describe("when a server ends", () => {
  const directory = mkdtempSync(join(tmpdir(), "chaya-isolation-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it("by kill -9, not even an instance that spins outlives it by a second", async () => {
    await using server = await startServerProcess();
    const fnId = await deployCode(server.url, { app: "alone", name: "spinning", code: wildFunction });
    const file = join(directory, "spinning");
    const call = send(`${server.url}/invoke/${fnId}`, { hang: { file, spins: true } }).catch((error: unknown) => error);
    const pids = await until(() => pidsIn(file), "the function's note");
    expect(pids.filter(isAlive)).toEqual(pids);
    await server.crash();
    await until(() => !pids.some(isAlive) || undefined, "the end of the instance", 1_000);
    expect(await call).toBeInstanceOf(Error);
  });

  it("by SIGTERM, a call in flight finishes first, it exits with 0 and leaves no process", async () => {
    await using server = await startServerProcess();
    const mark = `FN_APP_NAME=stopping-${process.pid}`;
    const app = mark.slice("FN_APP_NAME=".length);
    const fnId = await deployCode(server.url, { app, name: "slow", code: wildFunction });
    const file = join(directory, "slow");
    const call = send(`${server.url}/invoke/${fnId}`, { note: { file, ms: 700 } });
    await until(() => (existsSync(file) ? true : undefined), "the function's note");
    const children = childrenOf(server.child.pid ?? 0);
    expect(children).toEqual(expect.arrayContaining([...processesWith(mark)]));
    const stopped = server.stop();
    const refused = await until(async () => {
      const ready = await send(`${server.url}/readyz`, undefined, { method: "GET" }).catch(() => undefined);
      return ready?.status === 503 ? ready : undefined;
    }, "the server's word that it stops");
    expect(refused.status).toBe(503);
    expect(await send(`${server.url}/invoke/${fnId}`, { echo: 1 })).toMatchObject({ status: 503 });
    expect((await call).status).toBe(200);
    expect(await stopped).toBe(0);
    expect(children.filter(isAlive)).toEqual([]);
    expect(processesWith(mark)).toEqual([]);
  });

  it("by kill -9, the next one continues what was due, remembers what had ended, and says what was lost", async () => {
    const data = mkdtempSync(join(directory, "data-"));
    const first = await startServerProcess({ data });
    const fnId = await deployCode(first.url, { app: "alone", name: "fn", code: wildFunction });
    const ended = (await send(`${first.url}/invoke/${fnId}`, { echo: 1 })).headers.get("fn-call-id") ?? "";
    await endedCall(first.url, ended);
    const call = send(`${first.url}/invoke/${fnId}`, { note: { file: join(directory, "lost"), ms: 20_000 } });
    const answer = expect(call).rejects.toThrow();
    const lost = await until(() => runningCall(first.url), "the record of a call that runs");
    await first.crash();
    await answer;
    const startedMs = performance.now();
    await using second = await startServerProcess({ data });
    console.log(`ready again ${Math.round(performance.now() - startedMs)} ms after kill -9`);
    expect(await endedCall(second.url, ended)).toMatchObject({ status: "succeeded" });
    expect(await endedCall(second.url, lost)).toMatchObject({ status: "failed", problem: { code: "server-ended" } });
    expect(await send(`${second.url}/invoke/${fnId}`, { echo: 2 })).toMatchObject({ status: 200, text: "2" });
  });
});

function pidsIn(file: string): readonly number[] | undefined {
  if (!existsSync(file)) return undefined;
  const pids = readFileSync(file, "utf8").split(" ").map(Number);
  return pids.length === 2 ? pids : undefined;
}

/** Where the open descriptors of a process lead. */
function descriptorsOf(pid: number): readonly string[] {
  const list = spawnSync("find", [`/proc/${pid}/fd`, "-printf", "%l\\n"], { encoding: "utf8" });
  return list.stdout.split("\n").filter(Boolean);
}
