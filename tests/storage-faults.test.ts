import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Problem } from "@chaya/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readConfig } from "../packages/server/src/config.ts";
import type { Store } from "../packages/server/src/drivers/store/driver.ts";
import { type Overrides, startPlatform } from "../packages/server/src/platform.ts";
import { testStores } from "../packages/server/src/testing/stores.ts";
import { endedCall, read, send, sendDetached, until } from "./calls.ts";
import { delegating } from "./delegating.ts";
import { deployCode, uploadCode } from "./deploy-code.ts";
import { chayaBin, startServerProcess } from "./server-process.ts";
import { startTestPlatform, type TestPlatform } from "./test-platform.ts";
import { wildFunction } from "./wild-function.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "chaya-storage-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

for (const store of testStores()) {
  describe(`a full disk under the ${store.kind} store`, () => {
    let disk: Disk;
    let platform: TestPlatform;
    beforeAll(async () => {
      disk = openDisk(store.kind);
      platform = await startTestPlatform(store, { flags: { data: disk.data }, overrides: disk.overrides });
    });
    afterAll(async () => {
      disk.free();
      await platform[Symbol.asyncDispose]();
      disk.remove();
    });

    it("refuses what would have to be kept, acknowledges nothing, serves the rest, and resumes by itself", async () => {
      const { url } = platform;
      const file = join(directory, `notes-${store.kind}`);
      const deploy = (name: string) => deployCode(url, { app: "kept", name, code: wildFunction });
      const [fnId, warm, cold] = [await deploy("fn"), await deploy("warm"), await deploy("cold")];
      expect(await send(`${url}/invoke/${warm}`, { echo: 1 })).toMatchObject({ status: 200 });
      const running = await sendDetached(url, fnId, { note: { file, ms: 300 } });
      await until(() => (linesOf(file).length === 1 ? true : undefined), "the call that runs while the disk fills");
      disk.fill();

      const sentence = /The disk has only \d+ bytes left: writes are refused, reads go on\./;
      const created = await send(`${url}/v2/apps`, { name: "lost" });
      expect(created.status).toBe(503);
      expect(JSON.parse(created.text).message).toMatch(sentence);
      const headers = { "Fn-Invoke-Type": "detached", "Idempotency-Key": "tried" };
      for (const filler of ["", "x".repeat(100_000)]) {
        const refused = await send(`${url}/invoke/${fnId}`, { note: { file }, filler }, { headers });
        expect(refused.status).toBe(503);
        expect(JSON.parse(refused.text)).toMatchObject({
          code: "storage-full",
          detail: expect.stringMatching(sentence),
        });
      }
      const upload = uploadCode(url, { app: "kept", name: "fn", code: `${wildFunction}// another` });
      await expect(upload).rejects.toThrow(/503.*storage-full/);
      expect(await send(`${url}/v2/apps?name=kept`, undefined, { method: "GET" })).toMatchObject({ status: 200 });
      const served = await send(`${url}/invoke/${warm}`, { echo: "served" });
      expect(served).toMatchObject({ status: 200, text: '"served"' });
      // A process that waits has all it needs; another one needs a little of the disk as well, and a disk that only says
      // that it is full has that.
      const started = await send(`${url}/invoke/${cold}`, { echo: "started" });
      if (started.status !== 200) expect(JSON.parse(started.text)).toMatchObject({ code: "storage-full" });
      expect(started.status === 200 || disk.isReal).toBe(true);

      disk.free();
      await until(async () => {
        const { status } = await send(`${url}/v2/apps`, { name: "kept-again" });
        return status === 200 || undefined;
      }, "the end of the refusals");
      expect((await read<{ items: unknown[] }>(`${url}/v2/apps?name=lost`)).items).toEqual([]);
      const accepted = await sendDetached(url, fnId, { note: { file } }, "tried");
      expect(await endedCall(url, accepted)).toMatchObject({ status: "succeeded" });
      expect(await endedCall(url, running)).toMatchObject({ status: "succeeded", attempt: 1 });
      for (const { headers } of [served, started]) await endedCall(url, headers.get("fn-call-id") ?? "");
      expect(await send(`${url}/invoke/${cold}`, { echo: "started" })).toMatchObject({ status: 200 });
      expect(linesOf(file)).toEqual([`${running} 1`, `${accepted} 1`]);
    });
  });

  it(`a stop on a full disk under the ${store.kind} store is quick, and what had been acknowledged runs again`, async () => {
    const disk = openDisk(store.kind);
    await using database = await store.open();
    const location = store.kind === "embedded" ? "embedded" : database.location;
    const flags = { data: disk.data, store: location, port: "0", "log-level": "silent", sandbox: "none" } as const;
    const config = readConfig(flags, {});
    const file = join(directory, `stopped-${store.kind}`);
    try {
      const first = await startPlatform(config, { ...disk.overrides, workLeaseMs: 1_500 });
      const fnId = await deployCode(first.address, { app: "kept", name: "fn", code: wildFunction });
      const id = await sendDetached(first.address, fnId, { note: { file, ms: 300 } });
      await until(() => linesOf(file)[0], "the call that runs while the disk fills");
      disk.fill();
      await new Promise((resolve) => setTimeout(resolve, 500));
      const startedMs = performance.now();
      await first.stop();
      expect(performance.now() - startedMs).toBeLessThan(5_000);
      disk.free();
      await using second = await startPlatform(config, disk.overrides);
      expect(await endedCall(second.address, id)).toMatchObject({ status: "succeeded", attempt: 2 });
      expect(linesOf(file)).toEqual([`${id} 1`, `${id} 2`]);
    } finally {
      disk.remove();
    }
  });

  describe(`damage on disk under the ${store.kind} store`, () => {
    let platform: TestPlatform;
    beforeAll(async () => {
      platform = await startTestPlatform(store);
    });
    afterAll(() => platform[Symbol.asyncDispose]());

    it.each([
      ["a flipped bit", (path: string) => flipByte(path, 100)],
      ["a flipped bit at its end", (path: string) => flipByte(path, readFileSync(path).length - 1)],
      ["a missing end", (path: string) => truncateSync(path, readFileSync(path).length - 1)],
      ["a missing file", (path: string) => rmSync(path)],
    ])("of stored code (%s) is found before any of it runs, and uploading it again mends it", async (how, damage) => {
      const { url } = platform;
      const file = join(directory, `ran-${store.kind}-${how}`);
      const code = `require("node:fs").writeFileSync(${JSON.stringify(file)}, "ran"); // ${how}\n${wildFunction}`;
      const name = how.replaceAll(" ", "-");
      const before = new Set(payloadFiles(platform.data));
      const image = await uploadCode(url, { app: "damaged", name, code });
      const [path = ""] = payloadFiles(platform.data).filter((known) => !before.has(known));
      // Before a function has it: from then on it is unpacked ahead of the first call.
      damage(path);
      const fnId = await deployCode(url, { app: "damaged", name, image });
      const answer = await send(`${url}/invoke/${fnId}`, { echo: 1 });
      expect(answer.status, answer.text).toBe(502);
      expect(JSON.parse(answer.text)).toMatchObject({
        ...{ code: "image-damaged", message: expect.stringContaining(`Failed to pull image '${image}'`) },
      });
      expect(existsSync(file)).toBe(false);
      const record = await endedCall(url, answer.headers.get("fn-call-id") ?? "");
      expect(record).toMatchObject({ status: "failed", problem: { code: "image-damaged" } });
      expect(await uploadCode(url, { app: "damaged", name, code })).toBe(image);
      expect(await send(`${url}/invoke/${fnId}`, { echo: 1 })).toMatchObject({ status: 200, text: "1" });
      expect(existsSync(file)).toBe(true);
    });

    it("of a stored body makes its call a dead letter instead of giving the function other bytes", async () => {
      const { url } = platform;
      const file = join(directory, `bodies-${store.kind}`);
      const annotations = { "chaya/max-instances": 1, "chaya/retries": 5 };
      const fnId = await deployCode(url, { app: "damaged", name: "bodies", code: wildFunction, annotations });
      const first = await sendDetached(url, fnId, { note: { file, ms: 500 } });
      await until(() => (linesOf(file).length === 1 ? true : undefined), "the first call");
      const before = new Set(payloadFiles(platform.data));
      const waiting = await sendDetached(url, fnId, { note: { file }, filler: "x".repeat(100_000) });
      const [path = ""] = payloadFiles(platform.data).filter((known) => !before.has(known));
      flipByte(path, 50_000);
      const letter = await until(async () => {
        const { status, text } = await send(`${url}/chaya/v1/dead-letters/${waiting}`, undefined, { method: "GET" });
        return status === 200 ? JSON.parse(text) : undefined;
      }, "the dead letter");
      expect(letter).toMatchObject({ id: waiting, problem: { code: "payload-damaged" } });
      expect(linesOf(file)).toEqual([`${first} 1`]);
    });
  });
}

describe("a data directory that is damaged", () => {
  let whole: string;
  beforeAll(async () => {
    whole = join(directory, "whole");
    mkdirSync(whole);
    const server = await startServerProcess({ data: whole });
    await deployCode(server.url, { app: "damaged", name: "fn", code: wildFunction });
    await server.stop();
  });

  it.each([
    ["main.db", "a flipped page", (path: string) => writeFileSync(path, overwritten(readFileSync(path), 4096, 8192))],
    ["main.db", "no database at all", (path: string) => writeFileSync(path, "This is not a database, it is a text.\n")],
    ["main.db", "half its length", (path: string) => truncateSync(path, Math.floor(readFileSync(path).length / 2))],
    [
      "telemetry.db",
      "a flipped page",
      (path: string) => writeFileSync(path, overwritten(readFileSync(path), 4096, 8192)),
    ],
    ["format.json", "half its length", (path: string) => truncateSync(path, 10)],
  ])("in %s (%s) is refused with a sentence that names the file and the way out", (name, how, damage) => {
    const data = join(directory, `${name}-${how}`.replaceAll(" ", "-"));
    cpSync(whole, data, { recursive: true });
    damage(join(data, name));
    const refused = spawnSync(process.execPath, [chayaBin, "start", "--port", "0", "--data", data], {
      encoding: "utf8",
      timeout: 20_000,
    });
    expect(refused.status).toBeGreaterThan(0);
    expect(refused.stdout).toBe("");
    const [title, sentence, hint, ...rest] = refused.stderr.split("\n");
    expect(title).toBe("chaya: the server did not start.");
    expect(sentence).toContain(join(data, name));
    expect(sentence).toContain("damaged");
    expect(hint).toMatch(/^ {2}.*[Rr]estore (it|the file) from a (backup|copy)/);
    expect(rest).toEqual([""]);
  });

  it("in telemetry.db works again without that file, and loses calls and logs only", async () => {
    const data = join(directory, "without-telemetry");
    cpSync(whole, data, { recursive: true });
    const path = join(data, "telemetry.db");
    writeFileSync(path, overwritten(readFileSync(path), 4096, 8192));
    await expect(startServerProcess({ data })).rejects.toThrow(/may also be moved away/);
    for (const end of ["", "-wal"]) rmSync(`${path}${end}`, { force: true });
    await using server = await startServerProcess({ data });
    const [app] = (await read<{ items: { id: string }[] }>(`${server.url}/v2/apps?name=damaged`)).items;
    const [fn] = (await read<{ items: { id: string }[] }>(`${server.url}/v2/fns?app_id=${app?.id}`)).items;
    expect(await send(`${server.url}/invoke/${fn?.id}`, { echo: 1 })).toMatchObject({ status: 200, text: "1" });
  });
});

interface Disk {
  readonly data: string;
  readonly overrides: Overrides;
  readonly isReal: boolean;
  fill(): void;
  free(): void;
  remove(): void;
}

/** A disk of its own for what lies on one, where this user may mount one; else a disk that only says that it is full. */
function openDisk(kind: Store<unknown>["kind"]): Disk {
  const data = mkdtempSync(join(directory, "disk-"));
  const mount = ["-t", "tmpfs", "-o", "size=64m", "tmpfs", data];
  const isReal = kind === "embedded" && spawnSync("mount", mount).status === 0;
  const filler = join(data, "filler");
  let isFull = false;
  const unlessFull = async <T>(write: () => Promise<T>): Promise<T> => {
    if (isFull) throw new Problem("storage-full", { freeBytes: 0 });
    return write();
  };
  const full = <Tables>(opened: Store<Tables>): Store<Tables> =>
    delegating(opened, {
      apply: (statements) => unlessFull(() => opened.apply(statements)),
      transaction: (work) => unlessFull(() => opened.transaction(work)),
    });
  return {
    data,
    isReal,
    overrides: {
      wrapStores: ({ main, telemetry }) => ({ main: full(main), telemetry: full(telemetry) }),
      wrapPayloads: (payloads) =>
        delegating(payloads, { write: (source, options) => unlessFull(() => payloads.write(source, options)) }),
    },
    fill: () => {
      if (isReal) fillDisk(filler, data);
      else isFull = true;
    },
    free: () => {
      isFull = false;
      rmSync(filler, { force: true });
    },
    remove: () => {
      if (isReal) spawnSync("umount", [data]);
    },
  };
}

/** Others write as well: what is free when one looks may be gone when one writes. */
function fillDisk(file: string, data: string): void {
  const { bsize, bavail } = statfsSync(data);
  try {
    writeFileSync(file, Buffer.alloc(bsize * bavail));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
}

/** Every payload file below the data directory. */
function payloadFiles(data: string): readonly string[] {
  return readdirSync(join(data, "payloads"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x01, at);
  writeFileSync(path, bytes);
}

function overwritten(bytes: Buffer, start: number, end: number): Buffer {
  return Buffer.concat([bytes.subarray(0, start), Buffer.alloc(end - start, 0xa5), bytes.subarray(end)]);
}

function linesOf(path: string): readonly string[] {
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];
}
