import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CallView } from "@chaya/contract/chaya";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type OpenTestStore, testStore } from "../packages/server/src/testing/stores.ts";
import { type Answer, endedCall, read, runningCall, send, sendDetached, until } from "./calls.ts";
import { CrashServer } from "./crash-server-process.ts";
import { type Code, deployCode, uploadCode } from "./deploy-code.ts";
import { wildFunction } from "./wild-function.ts";

/** What one server changed, another serves after so long at most. */
const followedMsMax = 300;

describe("two servers on one PostgreSQL", () => {
  let database: OpenTestStore;
  let directory: string;
  let one: CrashServer;
  let two: CrashServer;
  let image: string;
  beforeAll(async () => {
    database = await testStore("postgres").open();
    directory = mkdtempSync(join(tmpdir(), "chaya-two-"));
    mkdirSync(join(directory, "shared"));
    [one, two] = [await start("one"), await start("two")];
    image = await uploadCode(one.url, { app: "pair", name: "fn", code: wildFunction });
    await send(`${one.url}/v2/apps`, { name: "pair" });
  });
  afterAll(async () => {
    await Promise.all([one, two].map((server) => server.kill(0)));
    await database[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(async () => {
    if (two.hasEnded) two = await start("two");
  });

  it(`serve what the other one changed within ${followedMsMax} ms`, { retry: 2 }, async () => {
    const followedMs: number[] = [];
    for (let round = 0; round < 5; round++) {
      const [writer, reader] = round % 2 === 0 ? [one, two] : [two, one];
      const name = `followed-${round}-${performance.now()}`.replace(".", "-");
      const fnId = await deploy(name, {}, writer);
      const call = () => send(`${reader.url}/invoke/${fnId}`, { environment: null });
      followedMs.push(await follow(call, ({ status }) => status !== 404));
      const warm = await call();
      expect(warm.status, warm.text).toBe(200);
      await expectOk(send(`${writer.url}/v2/fns/${fnId}`, { config: { SETTING: "new" } }, { method: "PUT" }));
      followedMs.push(await follow(call, ({ text }) => JSON.parse(text).SETTING === "new"));
      await expectOk(send(`${writer.url}/v2/fns/${fnId}`, undefined, { method: "DELETE" }));
      followedMs.push(await follow(call, ({ status }) => status === 404));
    }
    console.log(`changes of the other server were served after at most ${Math.round(Math.max(...followedMs))} ms`);
    expect(Math.max(...followedMs)).toBeLessThanOrEqual(followedMsMax);
  });

  it("show a client what it wrote to the other one when it passes the sequence number on", async () => {
    const fnId = await deploy("sequenced");
    for (let round = 0; round < 20; round++) {
      const [writer, reader] = round % 2 === 0 ? [one, two] : [two, one];
      const config = { ROUND: String(round) };
      const written = await send(`${writer.url}/v2/fns/${fnId}`, { config }, { method: "PUT" });
      const headers = { "Chaya-Seq": written.headers.get("chaya-seq") ?? "" };
      expect(headers["Chaya-Seq"]).toMatch(/^\d+$/);
      const shown = await send(`${reader.url}/v2/fns/${fnId}`, undefined, { method: "GET", headers });
      expect(JSON.parse(shown.text).config).toEqual(config);
    }
  });

  it("run a detached call once, whichever of them accepted it", async () => {
    const file = join(directory, "once");
    const fnId = await deploy("once");
    const calls = Array.from({ length: 40 }, (_, index) =>
      sendDetached((index % 2 === 0 ? one : two).url, fnId, { note: { file, ms: 5 } }),
    );
    const ids = await Promise.all(calls);
    for (const [index, id] of ids.entries())
      expect(await endedCall((index % 3 === 0 ? one : two).url, id)).toMatchObject({
        id,
        status: "succeeded",
        attempt: 1,
      });
    expect(linesOf(file).toSorted()).toEqual(ids.map((id) => `${id} 1`).toSorted());
  });

  it("accept one call for one key, whichever of them is asked", async () => {
    const file = join(directory, "keyed");
    const fnId = await deploy("keyed");
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        sendDetached((index % 2 === 0 ? one : two).url, fnId, { note: { file } }, "the-key"),
      ),
    );
    expect(ids[0]).toMatch(/^[0-9A-Z]{26}$/);
    expect(new Set(ids).size).toBe(1);
    await endedCall(two.url, ids[0] ?? "");
    expect(linesOf(file)).toEqual([`${ids[0]} 1`]);
  });

  it("read bodies that the other one stored", async () => {
    const fnId = await deploy("large");
    const file = join(directory, "large");
    const id = await sendDetached(one.url, fnId, { note: { file }, filler: "x".repeat(100_000) });
    expect(await endedCall(two.url, id)).toMatchObject({ status: "succeeded" });
  });

  it("see the secrets that the other one set", async () => {
    const app = await read<{ items: { id: string }[] }>(`${one.url}/v2/apps?name=pair`);
    const secret = `/chaya/v1/apps/${app.items[0]?.id}/secrets/PASSWORD`;
    await expectOk(send(`${one.url}${secret}`, { value: "correct horse" }, { method: "PUT" }));
    const fnId = await deploy("secretive");
    await until(async () => {
      const { status, text } = await send(`${two.url}/invoke/${fnId}`, { environment: null });
      return (status === 200 && JSON.parse(text).PASSWORD === "correct horse") || undefined;
    }, "the secret");
  });

  it("take over the work of the one that was killed when its lease ends", async () => {
    const file = join(directory, "taken-over");
    const fnId = await deploy("taken-over", { timeout: 60 });
    await until(
      async () => (await send(`${two.url}/invoke/${fnId}`, { echo: 1 })).status === 200 || undefined,
      "it on two",
    );
    const first = { ids: [] as string[] };
    // Both servers may claim what either accepted; only what the killed one runs must move.
    while (first.ids.length < 6) first.ids.push(await sendDetached(two.url, fnId, { note: { file, ms: 700 } }));
    await until(() => (linesOf(file).length >= 1 ? true : undefined), "the first run");
    await two.kill(0);
    const killedMs = performance.now();
    const records = [];
    for (const id of first.ids) records.push(await endedCall(one.url, id));
    console.log(
      `all work of a killed server was done ${Math.round(performance.now() - killedMs)} ms later (leases of 2 s)`,
    );
    expect(records.map(({ status }) => status)).toEqual(first.ids.map(() => "succeeded"));
    expect(Math.max(...records.map(({ attempt }) => attempt))).toBe(2);
    const runs = linesOf(file);
    expect(new Set(runs).size).toBe(runs.length);
    expect(new Set(runs.map((line) => line.split(" ")[0]))).toEqual(new Set(first.ids));
  });

  it("end the calls whose callers waited for the one that was killed, within a minute", {
    timeout: 90_000,
  }, async () => {
    const fnId = await deploy("lost", { timeout: 60 });
    const note = { file: join(directory, "lost"), ms: 50_000 };
    await until(
      async () => (await send(`${two.url}/invoke/${fnId}`, { echo: 1 })).status === 200 || undefined,
      "it on two",
    );
    const answer = send(`${two.url}/invoke/${fnId}`, { note }).catch(() => undefined);
    const lost = await until(() => runningCall(two.url), "the record of a call that runs");
    await two.kill(0);
    await answer;
    const killedMs = performance.now();
    const ended = await until(
      async () => {
        const call = await read<CallView>(`${one.url}/chaya/v1/calls/${lost}`);
        return call.status === "running" ? undefined : call;
      },
      "the end of the call",
      60_000,
    );
    console.log(`a killed server's call was ended ${Math.round(performance.now() - killedMs)} ms later`);
    expect(ended).toMatchObject({ status: "failed", problem: { code: "server-ended" } });
  });

  /** A server with its own data directory; payloads lie on a disk that both reach, and both have the same key. */
  function start(name: string): Promise<CrashServer> {
    const data = join(directory, name);
    mkdirSync(data, { recursive: true });
    if (linesOf(join(data, "format.json")).length === 0) {
      symlinkSync(join(directory, "shared"), join(data, "payloads"));
      writeFileSync(join(data, "secrets.key"), Buffer.alloc(32, "key"), { mode: 0o600 });
    }
    return CrashServer.start(data, database.location, "none");
  }

  /** Resolves when both servers know the function: what one changed, the other serves a moment later. */
  async function deploy(name: string, options: Partial<Code> = {}, server = one): Promise<string> {
    const fnId = await deployCode(server.url, { app: "pair", image, ...options, name });
    for (const { url } of [one, two]) {
      const ask = () => send(`${url}/v2/fns/${fnId}`, undefined, { method: "GET" });
      await follow(ask, ({ status }) => status === 200);
    }
    return fnId;
  }
});

/** Milliseconds from now until an answer is as wanted; asked again and again. */
async function follow(ask: () => Promise<Answer>, isWanted: (answer: Answer) => boolean): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    const askedMs = performance.now();
    const answer = await ask();
    // An answer that came late for its own reasons (a cold start) shows what was known when it was asked for.
    if (isWanted(answer)) return askedMs - startedMs;
    if (askedMs - startedMs > 5_000) throw new Error(`the change was not followed: ${answer.status} ${answer.text}`);
  }
}

async function expectOk(asked: Promise<Answer>): Promise<void> {
  const { status, text } = await asked;
  expect(status, text).toBeLessThan(300);
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
}
