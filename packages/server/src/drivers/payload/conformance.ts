import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { assert } from "../../kernel/assert.ts";
import { createIds } from "../../kernel/ids.ts";
import { seededRandom } from "../../kernel/random.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { failingAfter, gather, inUnevenChunks, sampleBytes } from "../../testing/sample-bytes.ts";
import type { Payload, PayloadDriver } from "./driver.ts";

/** Where payloads of one driver lie while a test runs. Disposing removes everything. */
export interface PayloadMedium extends AsyncDisposable {
  /** Opens a driver over what lies here. */
  open(conditions: PayloadConditions): Promise<PayloadDriver>;
  /** All bytes that are kept for a payload, checksums included. */
  raw(id: string): Promise<Buffer>;
  replaceRaw(id: string, bytes: Uint8Array): Promise<void>;
  /** How many things lie here, half-written ones included. */
  countThings(): Promise<number>;
  /** Starts a process that writes payloads until it is killed and prints `id bytes sha256` of each acknowledged one. */
  startWriter(seed: number): ChildProcess;
}

interface PayloadConditions {
  readonly clock: ManualClock;
  readonly ids: () => string;
  readonly logged: string[];
  /** Free bytes of a medium of 1000 bytes; plenty when absent. */
  readonly freeBytes?: () => number;
}

const block = 2 ** 20;

/** What every payload driver keeps to. */
export function payloadConformance(name: string, openMedium: () => Promise<PayloadMedium>): void {
  describe(`payload driver ${name}`, () => {
    const bench = {} as Bench;
    beforeEach(async () => {
      bench.medium = await openMedium();
      bench.clock = new ManualClock();
      bench.logged = [];
      bench.freeBytes = 1000;
      const conditions = { clock: bench.clock, logged: bench.logged, freeBytes: () => bench.freeBytes };
      const ids = createIds(bench.clock, seededRandom(7));
      bench.reopen = () => bench.medium.open({ ...conditions, ids });
      bench.payloads = await bench.reopen();
    });
    afterEach(async () => {
      await bench.payloads[Symbol.asyncDispose]();
      await bench.medium[Symbol.asyncDispose]();
    });
    describe("writing", () => writingTests(bench));
    describe("reading", () => readingTests(bench));
    describe("damage", () => damageTests(bench));
    describe("listing", () => listingTests(bench));
    describe("a full disk and a killed process", () => faultTests(bench));
  });
}

interface Bench {
  medium: PayloadMedium;
  clock: ManualClock;
  logged: string[];
  freeBytes: number;
  payloads: PayloadDriver;
  reopen: () => Promise<PayloadDriver>;
}

function writingTests(bench: Bench): void {
  it.each([0, 1, 4096, block - 1, block, block + 1, 3 * block, 3 * block + 17])(
    "gives back %i bytes as they were, with their facts, also after opening again",
    async (bytes) => {
      const content = sampleBytes(bytes, 1);
      const payload = await bench.payloads.write(inUnevenChunks(content), { bytesMax: bytes });
      expect(payload).toEqual({
        id: payload.id,
        bytes,
        sha256: createHash("sha256").update(content).digest("hex"),
        md5: createHash("md5").update(content).digest("hex"),
        writtenAtMs: bench.clock.nowMs(),
      });
      await bench.payloads[Symbol.asyncDispose]();
      bench.payloads = await bench.reopen();
      expect(await bench.payloads.stat(payload.id)).toEqual(payload);
      expect((await readAll(bench.payloads, payload.id)).equals(content)).toBe(true);
    },
  );

  it("gives every payload an id of its own, also for the same bytes", async () => {
    const first = await write(bench, sampleBytes(10, 1));
    const second = await write(bench, sampleBytes(10, 1));
    expect(second.id > first.id).toBe(true);
    expect(second.sha256).toBe(first.sha256);
  });

  it("refuses one byte more than the limit and keeps nothing", async () => {
    const source = inUnevenChunks(sampleBytes(block + 1, 1));
    await expect(bench.payloads.write(source, { bytesMax: block })).rejects.toMatchObject({ code: "body-too-large" });
    expect(await bench.medium.countThings()).toBe(0);
  });

  it.each([0, 1, 20, 40])("rejects with the source's own error after %i chunks and keeps nothing", async (chunks) => {
    const failure = new Error("the client went away");
    await expect(bench.payloads.write(failingAfter(chunks, failure), { bytesMax: 1e9 })).rejects.toBe(failure);
    expect(await bench.medium.countThings()).toBe(0);
  });

  it("stops at an abort while the source is silent, tells the source, and keeps nothing", async () => {
    const controller = new AbortController();
    const silence = Promise.withResolvers<IteratorResult<Uint8Array>>();
    const isSilent = Promise.withResolvers<void>();
    const steps = [() => Promise.resolve({ done: false, value: sampleBytes(2 * block, 1) }), () => silence.promise];
    let isEnded = false;
    const next = () => {
      if (steps.length === 1) isSilent.resolve();
      return steps.shift()?.() ?? silence.promise;
    };
    const end = () => {
      isEnded = true;
      return silence.promise;
    };
    const source = { [Symbol.asyncIterator]: () => ({ next, return: end }) };
    const writing = bench.payloads.write(source, { bytesMax: 1e9, signal: controller.signal });
    await isSilent.promise;
    controller.abort(new Error("given up"));
    await expect(writing).rejects.toThrow("given up");
    expect(isEnded).toBe(true);
    expect(await bench.medium.countThings()).toBe(0);
  });

  it("shows a payload to nobody before it is whole", async () => {
    const gate = Promise.withResolvers<void>();
    const halfway = Promise.withResolvers<void>();
    const writing = bench.payloads.write(
      (async function* () {
        yield sampleBytes(2 * block, 1);
        halfway.resolve();
        await gate.promise;
        yield sampleBytes(1, 1);
      })(),
      { bytesMax: 1e9 },
    );
    await halfway.promise;
    await bench.clock.advance(1);
    expect(await listAll(bench)).toEqual([]);
    gate.resolve();
    const payload = await writing;
    await bench.clock.advance(1);
    expect(await listAll(bench)).toEqual([payload]);
  });

  it("keeps many payloads apart that are written at once", async () => {
    const contents = Array.from({ length: 40 }, (_, index) => sampleBytes(index * 30_011, index));
    const written = await Promise.all(contents.map((content) => write(bench, content)));
    const read = await Promise.all(written.map((payload) => readAll(bench.payloads, payload.id)));
    expect(read.every((content, index) => content.equals(contents[index] ?? Buffer.alloc(0)))).toBe(true);
  });

  it("waits at close for the writes under way", async () => {
    const writing = write(bench, sampleBytes(4 * block, 1));
    await bench.payloads[Symbol.asyncDispose]();
    const payload = await writing;
    bench.payloads = await bench.reopen();
    expect(await bench.payloads.stat(payload.id)).toEqual(payload);
  });
}

function readingTests(bench: Bench): void {
  it.each([
    [0, 0],
    [0, 1],
    [0, block],
    [1, block + 1],
    [block - 1, block + 1],
    [block, 2 * block],
    [block - 1, 2 * block + 1],
    [2 * block + 9, 2 * block + 10],
    [2 * block + 10, 2 * block + 10],
  ])("reads the range from %i to %i", async (start, end) => {
    const content = sampleBytes(2 * block + 10, 3);
    const { id } = await write(bench, content);
    const range = await buffer(await bench.payloads.read(id, { start, end }));
    expect(range.equals(content.subarray(start, end))).toBe(true);
  });

  it("answers payload-not-found for what was never written, was removed, or is no id at all", async () => {
    const { id } = await write(bench, sampleBytes(10, 1));
    await bench.payloads.remove(id);
    for (const missing of [id, "01KA0000000000000000000000", "../../etc/passwd", "", id.toLowerCase()]) {
      await expect(bench.payloads.read(missing)).rejects.toMatchObject({ code: "payload-not-found" });
      await expect(bench.payloads.stat(missing)).rejects.toMatchObject({ code: "payload-not-found" });
      await bench.payloads.remove(missing);
    }
  });

  it("lets a reader finish that had begun before the payload was removed", async () => {
    const content = sampleBytes(3 * block, 4);
    const { id } = await write(bench, content);
    const stream = await bench.payloads.read(id);
    await bench.payloads.remove(id);
    expect((await buffer(stream)).equals(content)).toBe(true);
  });

  it("reads no further than the reader asks", async () => {
    const content = sampleBytes(8 * block, 4);
    const { id } = await write(bench, content);
    const stream = await bench.payloads.read(id);
    stream.pause();
    const raw = await bench.medium.raw(id);
    raw.fill(0, 4 * block, 8 * block);
    await bench.medium.replaceRaw(id, raw);
    const read: Buffer[] = [];
    const failure = await gather(stream, read);
    expect(failure).toMatchObject({ code: "payload-damaged" });
    expect(Buffer.concat(read).equals(content.subarray(0, 4 * block))).toBe(true);
  });
}

function damageTests(bench: Bench): void {
  it("finds any flipped bit before a byte of its block is given out, and reports it", async () => {
    const random = seededRandom(11);
    const content = sampleBytes(2 * block + 1000, 5);
    const { id } = await write(bench, content);
    const whole = await bench.medium.raw(id);
    const ends = [0, block - 1, block, 2 * block, content.length - 1];
    const trailer = Array.from({ length: whole.length - content.length }, (_, index) => content.length + index);
    const anywhere = Array.from({ length: 20 }, () => Math.floor(random.number() * whole.length));
    for (const position of [...ends, ...trailer, ...anywhere]) {
      const bit = 1 << Math.floor(random.number() * 8);
      const damaged = Buffer.from(whole);
      damaged[position] = (damaged[position] ?? 0) ^ bit;
      await bench.medium.replaceRaw(id, damaged);
      bench.logged.length = 0;
      const { read, failure } = await readUntilFailure(bench.payloads, id);
      expect(failure, `bit ${bit} of byte ${position}`).toMatchObject({ code: "payload-damaged" });
      const wholeBlocks = position < content.length ? Math.floor(position / block) * block : 0;
      expect(read.equals(content.subarray(0, wholeBlocks)), `byte ${position}`).toBe(true);
      expect(bench.logged).toEqual(["payload damaged"]);
    }
    await bench.medium.replaceRaw(id, whole);
    expect((await readAll(bench.payloads, id)).equals(content)).toBe(true);
  });

  it("still reads the blocks that are whole", async () => {
    const content = sampleBytes(3 * block, 6);
    const { id } = await write(bench, content);
    const raw = await bench.medium.raw(id);
    raw[block + 5] = (raw[block + 5] ?? 0) ^ 1;
    await bench.medium.replaceRaw(id, raw);
    const last = await buffer(await bench.payloads.read(id, { start: 2 * block, end: 3 * block }));
    expect(last.equals(content.subarray(2 * block))).toBe(true);
    await expect(bench.payloads.read(id, { start: block, end: block + 1 })).rejects.toMatchObject({
      code: "payload-damaged",
    });
  });

  it("finds a payload that was cut short or grew, wherever it was cut", async () => {
    const content = sampleBytes(block + 5000, 7);
    const { id } = await write(bench, content);
    const whole = await bench.medium.raw(id);
    const lengths = [0, 1, 107, 108, 4096, block, content.length, whole.length - 1, whole.length - 108];
    for (const length of lengths) {
      await bench.medium.replaceRaw(id, whole.subarray(0, length));
      await expect(bench.payloads.read(id), `cut to ${length}`).rejects.toMatchObject({ code: "payload-damaged" });
      await expect(bench.payloads.stat(id)).rejects.toMatchObject({ code: "payload-damaged" });
    }
    await bench.medium.replaceRaw(id, Buffer.concat([whole, Buffer.from([0])]));
    await expect(bench.payloads.read(id)).rejects.toMatchObject({ code: "payload-damaged" });
  });

  it("does not take one payload for another", async () => {
    const one = await write(bench, sampleBytes(100, 8));
    const other = await write(bench, sampleBytes(100, 9));
    await bench.medium.replaceRaw(one.id, await bench.medium.raw(other.id));
    await expect(bench.payloads.read(one.id)).rejects.toMatchObject({ code: "payload-damaged" });
  });
}

function listingTests(bench: Bench): void {
  it("lists in order of id what is older than asked for, page by page", async () => {
    const written: Payload[] = [];
    for (let index = 0; index < 25; index++) {
      written.push(await write(bench, sampleBytes(index, index)));
      await bench.clock.advance(index % 3 === 0 ? 1_200_000 : 1);
    }
    const cut = written[20]?.writtenAtMs ?? 0;
    const listed: Payload[] = [];
    for (;;) {
      const afterId = listed.at(-1)?.id ?? "";
      const page = await bench.payloads.list({ writtenBeforeMs: cut, afterId, countMax: 4 });
      expect(page.length).toBeLessThanOrEqual(4);
      listed.push(...page);
      if (page.length < 4) break;
    }
    expect(listed).toEqual(written.filter((payload) => payload.writtenAtMs < cut));
    expect(await bench.payloads.list({ writtenBeforeMs: cut, countMax: 0 })).toEqual([]);
  });

  it("goes on listing past a removed and a damaged payload", async () => {
    const first = await write(bench, sampleBytes(1, 1));
    const second = await write(bench, sampleBytes(2, 2));
    const third = await write(bench, sampleBytes(3, 3));
    await bench.payloads.remove(first.id);
    await bench.medium.replaceRaw(second.id, sampleBytes(50, 1));
    await bench.clock.advance(1);
    expect(await listAll(bench)).toEqual([third]);
  });

  it("tells how much it holds", async () => {
    const { id } = await write(bench, sampleBytes(3000, 1));
    const { bytes, isWritable } = await bench.payloads.health();
    expect(isWritable).toBe(true);
    expect(bytes).toBeGreaterThanOrEqual(3000);
    await write(bench, sampleBytes(5000, 1));
    expect((await bench.payloads.health()).bytes).toBeGreaterThanOrEqual(bytes + 5000);
    await bench.payloads.remove(id);
    expect((await bench.payloads.health()).bytes).toBeLessThan(bytes + 5000);
  });
}

function faultTests(bench: Bench): void {
  it("refuses writes below 5 % of free space, goes on reading, and writes again by itself", async () => {
    const content = sampleBytes(2000, 1);
    const { id } = await write(bench, content);
    bench.freeBytes = 49;
    await expect(write(bench, sampleBytes(1, 1))).rejects.toMatchObject({
      code: "storage-full",
      fields: { freeBytes: 49 },
    });
    expect((await bench.payloads.health()).isWritable).toBe(false);
    expect((await readAll(bench.payloads, id)).equals(content)).toBe(true);
    expect(await bench.medium.countThings()).toBe(1);
    bench.freeBytes = 50;
    await write(bench, sampleBytes(1, 1));
  });

  it("gives up a long write once the disk has run full, and keeps nothing", async () => {
    async function* source() {
      for (let index = 0; index < 64; index++) {
        if (index === 20) bench.freeBytes = 10;
        yield sampleBytes(block, index);
      }
    }
    await expect(bench.payloads.write(source(), { bytesMax: 1e9 })).rejects.toMatchObject({ code: "storage-full" });
    expect(await bench.medium.countThings()).toBe(0);
  });

  it("loses nothing acknowledged when its process is killed, and keeps nothing half-written", {
    timeout: 60_000,
  }, async () => {
    const acknowledged = new Map<string, string>();
    for (let round = 1; round <= 6; round++) {
      const writer = bench.medium.startWriter(round);
      const printed = collectLines(writer);
      while (printed.lines.length < 10 * round) await once(writer.stdout ?? writer, "data");
      writer.kill("SIGKILL");
      await once(writer, "close");
      for (const line of printed.lines) acknowledged.set(line.split(" ")[0] ?? "", line);
      await bench.payloads[Symbol.asyncDispose]();
      bench.payloads = await bench.reopen();
      for (const [id, line] of acknowledged) {
        const content = await readAll(bench.payloads, id);
        expect(`${id} ${content.length} ${createHash("sha256").update(content).digest("hex")}`).toBe(line);
      }
      const listed = await bench.payloads.list({ writtenBeforeMs: Number.MAX_SAFE_INTEGER, countMax: 1e6 });
      expect(listed.length).toBeGreaterThanOrEqual(acknowledged.size);
      expect(await bench.medium.countThings(), "only whole payloads remain").toBe(listed.length);
    }
  });
}

function write(bench: Bench, content: Buffer): Promise<Payload> {
  return bench.payloads.write(inUnevenChunks(content), { bytesMax: content.length });
}

function listAll(bench: Bench): Promise<readonly Payload[]> {
  return bench.payloads.list({ writtenBeforeMs: bench.clock.nowMs(), countMax: 1000 });
}

async function readAll(payloads: PayloadDriver, id: string): Promise<Buffer> {
  return buffer(await payloads.read(id));
}

/** What a reader gets before the failure, and the failure. */
async function readUntilFailure(payloads: PayloadDriver, id: string): Promise<{ read: Buffer; failure: unknown }> {
  const read: Buffer[] = [];
  const failure = await payloads.read(id).then(
    (stream) => gather(stream, read),
    (error: unknown) => error,
  );
  return { read: Buffer.concat(read), failure };
}

/** Whole lines only: the last one may have been cut by the kill. */
function collectLines(child: ChildProcess): { readonly lines: string[] } {
  const lines: string[] = [];
  assert(child.stdout !== null, "the writer prints to a pipe");
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (/^\S{26} \d+ [0-9a-f]{64}$/.test(line)) lines.push(line);
  });
  return { lines };
}
