import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exchangeRaw, RawClient } from "../packages/server/src/testing/raw-http.ts";
import { testStores } from "../packages/server/src/testing/stores.ts";
import { endedCall, send, until } from "./calls.ts";
import { deployCode } from "./deploy-code.ts";
import { isAlive, residentBytes } from "./processes.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { startTestPlatform, type TestPlatform } from "./test-platform.ts";
import { wildFunction } from "./wild-function.ts";

const mebi = 1024 * 1024;
const isFull = process.env.CHAYA_TEST_FULL === "1";
const bodyBytes = 100 * mebi;
/** Slow against a producer that is as fast as it may be; as slow as it was promised only in the full run. */
const readerBytesPerSecond = (isFull ? 5 : 25) * 1_000_000;
const growthBytesMax = 48 * mebi;
const eventGapMs = 100;

/** Answers as fast as it may, reads as slowly as it is told, or sends events that say when they were written. */
const streaming = `
const { createHash } = require("node:crypto");
const { createServer } = require("node:http");
const { symlinkSync } = require("node:fs");
const { dirname, join } = require("node:path");
const { Readable } = require("node:stream");
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const jobs = {
  source: async (_, response) => {
    const block = Buffer.alloc(65_536, "x");
    const blocks = function* () {
      for (let sent = 0; sent < ${bodyBytes}; sent += block.length) yield block;
    };
    Readable.from(blocks()).pipe(response);
  },
  sink: async (request, response) => {
    const hash = createHash("sha256");
    const startedMs = performance.now();
    let bytes = 0;
    for await (const chunk of request) {
      hash.update(chunk);
      bytes += chunk.length;
      const aheadMs = (bytes / ${readerBytesPerSecond}) * 1000 - (performance.now() - startedMs);
      if (aheadMs > 5) await pause(aheadMs);
    }
    response.end(bytes + " " + hash.digest("hex"));
  },
  events: async (_, response) => {
    response.setHeader("Content-Type", "text/event-stream");
    for (let event = 0; event < 20; event++) {
      await pause(${eventGapMs});
      response.write("data: " + (performance.timeOrigin + performance.now()) + "\\n\\n");
    }
    response.end();
  },
};
const listener = process.env.FN_LISTENER.slice("unix:".length);
const phony = join(dirname(listener), "phony.sock");
createServer((request, response) => jobs[request.headers.job](request, response)).listen(phony, () =>
  symlinkSync("phony.sock", listener),
);
`;

describe("bodies that stream through a server", () => {
  let server: ServerProcess;
  let url: string;
  beforeAll(async () => {
    server = await startServerProcess();
    const options = { app: "streams", name: "fn", code: streaming, timeout: 120 };
    url = `${server.url}/invoke/${await deployCode(server.url, options)}`;
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it("take little of its memory however slowly they are read, both ways", async () => {
    // Both paths are warm before what they keep is counted.
    await open(url, "events");
    await (await open(url, "sink", Readable.from([Buffer.alloc(8 * mebi)]))).resume().toArray();
    const baseline = residentBytes(server.child.pid ?? 0);
    let highest = baseline;
    const watch = setInterval(() => {
      highest = Math.max(highest, residentBytes(server.child.pid ?? 0));
    }, 20);
    try {
      const [received, sent] = await Promise.all([download(), upload()]);
      expect(received).toEqual({ bytes: bodyBytes, isAll: true });
      expect(sent).toBe(`${bodyBytes} ${digestOfBody()}`);
    } finally {
      clearInterval(watch);
    }
    const growth = (highest - baseline) / mebi;
    console.log(`100 MiB each way: RSS ${(baseline / mebi).toFixed(0)} MiB + ${growth.toFixed(1)} MiB`);
    expect(growth * mebi).toBeLessThanOrEqual(growthBytesMax);
  }, 90_000);

  it("bring server-sent events one by one, before the next is written", async () => {
    const answer = await open(url, "events");
    const delaysMs: number[] = [];
    for await (const chunk of answer) {
      const nowMs = performance.timeOrigin + performance.now();
      for (const [, writtenMs] of String(chunk).matchAll(/data: ([\d.]+)\n\n/g))
        delaysMs.push(nowMs - Number(writtenMs));
    }
    console.log(`20 events: the slowest took ${Math.max(...delaysMs).toFixed(1)} ms`);
    expect(delaysMs).toHaveLength(20);
    // Half of them at least: a machine that stands still for a moment delays some. bench/events.ts judges the time.
    expect(delaysMs.filter((ms) => ms < eventGapMs).length).toBeGreaterThan(10);
  });

  async function download(): Promise<{ bytes: number; isAll: boolean }> {
    const answer = await open(url, "source");
    const startedMs = performance.now();
    let bytes = 0;
    let isAll = true;
    for await (const chunk of answer) {
      bytes += chunk.length;
      isAll &&= chunk.equals(Buffer.alloc(chunk.length, "x"));
      const aheadMs = (bytes / readerBytesPerSecond) * 1000 - (performance.now() - startedMs);
      if (aheadMs > 5) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    }
    return { bytes, isAll };
  }

  async function upload(): Promise<string> {
    const answer = await open(url, "sink", Readable.from(blocksOfBody()));
    return Buffer.concat(await answer.toArray()).toString();
  }
});

for (const store of testStores())
  describe(`on the ${store.kind} store, a call`, () => {
    let platform: TestPlatform;
    let fnId: string;
    let directory: string;
    beforeAll(async () => {
      platform = await startTestPlatform(store);
      directory = mkdtempSync(join(tmpdir(), "chaya-streaming-"));
      const options = { app: "wild", name: "fn", code: wildFunction, trigger: "/fn" };
      fnId = await deployCode(platform.url, options);
    });
    afterAll(async () => {
      await platform[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    });

    it("whose client goes away is cancelled and its instance destroyed", async () => {
      const file = join(directory, "pids");
      const gone = new AbortController();
      const headers = { "X-Mark": "cancelled" };
      const answer = send(`${platform.url}/invoke/${fnId}`, { hang: { file } }, { headers, signal: gone.signal });
      const pids = await until(() => pidsIn(file), "the function's note");
      gone.abort();
      await expect(answer).rejects.toThrow("aborted");
      await until(() => !pids.some(isAlive) || undefined, "the end of the instance");
      const record = await until(() => newestCall("cancelled"), "the record");
      expect(record).toMatchObject({ status: "cancelled", problem: { code: "client-gone" } });
      expect(record.httpStatus).toBeUndefined();
    });

    it("whose client goes away while it waits for an instance never runs", async () => {
      const annotations = { "chaya/max-instances": 1 };
      const single = await deployCode(platform.url, { app: "wild", name: "single", code: wildFunction, annotations });
      const file = join(directory, "notes");
      const first = send(`${platform.url}/invoke/${single}`, { note: { file, ms: 300 } });
      const firstId = await until(() => notesIn(file)[0], "the first call");
      const gone = new AbortController();
      const second = send(`${platform.url}/invoke/${single}`, { note: { file } }, { signal: gone.signal });
      await until(async () => (await metric("chaya_calls_waiting", "single")) === 1 || undefined, "the second call");
      gone.abort();
      await expect(second).rejects.toThrow("aborted");
      expect((await first).status).toBe(200);
      const third = await send(`${platform.url}/invoke/${single}`, { note: { file } });
      expect(notesIn(file)).toEqual([firstId, `${third.headers.get("fn-call-id")} 1`]);
    });

    it("through a trigger answers HEAD without a body and with the length of one", async () => {
      const answer = await exchangeRaw(platform.port, triggerRequest("HEAD", '{"echo":"hello"}'));
      expect(answer).toMatchObject({ status: 200, body: "", headers: { "content-length": "7" } });
    });

    it.each([204, 304])("answers %i through a trigger without a body, whatever the function sends", async (status) => {
      const head = `HTTP/1.1 200 OK\r\nFn-Http-Status: ${status}\r\nConnection: close\r\nContent-Length: 4\r\n\r\n`;
      await using client = await RawClient.connect(platform.port);
      client.send(triggerRequest("POST", JSON.stringify({ raw: { bytes: `${head}body` } })));
      const answer = await client.answer();
      expect(answer).toMatchObject({ status, body: "" });
      expect(answer?.headers).not.toHaveProperty("content-length");
      expect(answer?.headers).not.toHaveProperty("transfer-encoding");
      // What follows on the connection is the next answer and nothing else.
      client.send(triggerRequest("POST", '{"echo":"next"}'));
      expect(await client.answer()).toMatchObject({ status: 200, body: '"next"' });
    });

    async function newestCall(status: string) {
      const { text } = await send(`${platform.url}/chaya/v1/calls?status=${status}`, undefined, { method: "GET" });
      const [newest] = JSON.parse(text).items;
      return newest === undefined ? undefined : endedCall(platform.url, newest.id);
    }

    async function metric(name: string, fn: string): Promise<number> {
      const { text } = await send(`${platform.url}/metrics`, undefined, { method: "GET" });
      return Number(new RegExp(`^${name}\\{app="wild",fn="${fn}"\\} (\\d+)$`, "m").exec(text)?.[1]);
    }
  });

function triggerRequest(method: string, body: string): string {
  return `${method} /t/wild/fn HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function pidsIn(file: string): readonly number[] | undefined {
  const pids = textOf(file).split(" ").map(Number);
  return pids.length === 2 ? pids : undefined;
}

function notesIn(file: string): readonly string[] {
  return textOf(file).split("\n").filter(Boolean);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function open(url: string, job: string, body?: Readable): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: "POST", headers: { job }, agent: false }, resolve);
    outgoing.on("error", reject);
    if (body === undefined) outgoing.end();
    else body.pipe(outgoing);
  });
}

function* blocksOfBody(): Iterable<Buffer> {
  for (let block = 0; block < bodyBytes / 65_536; block++) yield Buffer.alloc(65_536, block % 251);
}

function digestOfBody(): string {
  const hash = createHash("sha256");
  for (const block of blocksOfBody()) hash.update(block);
  return hash.digest("hex");
}
