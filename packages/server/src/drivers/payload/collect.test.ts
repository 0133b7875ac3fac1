import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createIds } from "../../kernel/ids.ts";
import { silentLogger } from "../../kernel/logger.ts";
import { seededRandom } from "../../kernel/random.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { createPayloadCollector } from "./collect.ts";
import type { PayloadDriver } from "./driver.ts";
import { openFilesystemPayloads } from "./filesystem/index.ts";

const hourMs = 3_600_000;

describe("the payload collector", () => {
  const logger = silentLogger();
  let clock: ManualClock;
  let directory: string;
  let payloads: PayloadDriver;
  beforeEach(async () => {
    clock = new ManualClock();
    directory = await mkdtemp(join(tmpdir(), "chaya-collect-"));
    payloads = await openFilesystemPayloads({ clock, ids: createIds(clock, seededRandom(5)), logger }, { directory });
  });
  afterEach(async () => {
    await payloads[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  it("removes only what is older than 24 h and named by nothing", async () => {
    const [orphan, named] = [await write(), await write()];
    await clock.advance(hourMs);
    const young = await write();
    await clock.advance(23 * hourMs + 1);
    await using collector = createPayloadCollector({ payloads, clock, logger, isNamed: async () => new Set([named]) });
    expect(await collector.collect()).toMatchObject({ lookedAt: 2, removed: 1 });
    expect(await remaining()).toEqual([named, young]);
    expect(await collector.collect()).toMatchObject({ lookedAt: 1, removed: 0 });
    expect(await remaining()).not.toContain(orphan);
  });

  it("asks in pages and goes through all of them", async () => {
    for (let index = 0; index < 520; index++) await write();
    await clock.advance(25 * hourMs);
    const asked: number[] = [];
    const isNamed = async (ids: readonly string[]) => {
      asked.push(ids.length);
      return new Set(ids.slice(0, 1));
    };
    await using collector = createPayloadCollector({ payloads, clock, logger, isNamed });
    expect(await collector.collect()).toMatchObject({ lookedAt: 520, removed: 518 });
    expect(asked).toEqual([500, 20]);
  });

  it("removes nothing when it cannot learn what is named", async () => {
    await write();
    await clock.advance(25 * hourMs);
    const isNamed = () => Promise.reject(new Error("the store is away"));
    await using collector = createPayloadCollector({ payloads, clock, logger, isNamed });
    await expect(collector.collect()).rejects.toThrow("the store is away");
    expect(await remaining()).toHaveLength(1);
  });

  it("works every hour by itself", async () => {
    await write();
    const rounds = Promise.withResolvers<void>();
    const isNamed = async () => {
      rounds.resolve();
      return new Set<string>();
    };
    await using _collector = createPayloadCollector({ payloads, clock, logger, isNamed });
    await clock.advance(25 * hourMs);
    await rounds.promise;
  });

  async function write(): Promise<string> {
    const { id } = await payloads.write(
      (async function* () {
        yield Buffer.from("some bytes");
      })(),
      { bytesMax: 100 },
    );
    return id;
  }

  async function remaining(): Promise<readonly string[]> {
    const all = await payloads.list({ writtenBeforeMs: Number.MAX_SAFE_INTEGER, countMax: 1000 });
    return all.map((payload) => payload.id);
  }
});
