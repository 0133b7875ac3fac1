import { spawn, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createIds } from "../../../kernel/ids.ts";
import { type Logger, silentLogger } from "../../../kernel/logger.ts";
import { seededRandom } from "../../../kernel/random.ts";
import { ManualClock } from "../../../testing/manual-clock.ts";
import { type PayloadMedium, payloadConformance } from "../conformance.ts";
import type { PayloadDriver } from "../driver.ts";
import { openFilesystemPayloads } from "./index.ts";
import type { DurableStep } from "./write-payload.ts";

const writerProgram = fileURLToPath(new URL("../../../testing/payload-writer.ts", import.meta.url));

payloadConformance("filesystem", async (): Promise<PayloadMedium> => {
  const directory = await mkdtemp(join(tmpdir(), "chaya-payload-"));
  const pathOf = (id: string) => join(directory, id.slice(0, 4), id.slice(4, 6), id);
  return {
    open: ({ clock, ids, logged, freeBytes }) =>
      openFilesystemPayloads(
        { clock, ids, logger: recordingLogger(logged) },
        { directory, readSpace: async () => ({ bytes: 1000, freeBytes: freeBytes?.() ?? 1000 }) },
      ),
    raw: (id) => readFile(pathOf(id)),
    replaceRaw: (id, bytes) => writeFile(pathOf(id), bytes),
    countThings: () => countFiles(directory),
    startWriter: (seed) =>
      spawn(process.execPath, [writerProgram, directory, String(seed)], { stdio: ["ignore", "pipe", "inherit"] }),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
});

describe("payloads as files", () => {
  const clock = new ManualClock();
  const deps = { clock, ids: createIds(clock, seededRandom(3)), logger: silentLogger() };
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "chaya-payload-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it("keeps nothing of a write that fails at any of its steps, and says which steps there are", async () => {
    const steps: DurableStep[] = [];
    await using undisturbed = await openFilesystemPayloads(deps, { directory, beforeStep: (step) => steps.push(step) });
    const { id } = await undisturbed.write(source(300_000), { bytesMax: 1e9 });
    await undisturbed.remove(id);
    expect(steps).toEqual(["create", "write", "write", "write", "sync", "rename", "rename", "sync-directory"]);
    for (const code of ["ENOSPC", "EIO"]) {
      for (let failing = 1; failing < steps.length; failing++) {
        let step = 0;
        const beforeStep = () => {
          if (++step === failing) throw Object.assign(new Error(`${code}: injected`), { code });
        };
        await using payloads = await openFilesystemPayloads(deps, { directory, beforeStep });
        const failure = payloads.write(source(300_000), { bytesMax: 1e9 });
        await expect(failure).rejects.toMatchObject({ code: code === "ENOSPC" ? "storage-full" : "EIO" });
        expect(await countFiles(directory), `${code} at step ${failing}`).toBe(0);
      }
    }
  });

  it("answers storage-full on a disk that is really full and goes on when there is room again", async () => {
    const mountPoint = join(directory, "small");
    await mkdir(mountPoint);
    const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", mountPoint]).status === 0;
    // Without the right to mount a disk of its own, the test fills an imaginary one.
    let left = 8 * 2 ** 20;
    const beforeStep = (step: DurableStep) => {
      if (isMounted || step !== "write") return;
      left -= 131_072;
      if (left < 0) throw Object.assign(new Error("ENOSPC: injected"), { code: "ENOSPC" });
    };
    try {
      await using payloads = await openFilesystemPayloads(deps, {
        directory: join(mountPoint, "payloads"),
        beforeStep,
      });
      const kept = await payloads.write(source(4_000_000), { bytesMax: 1e9 });
      await expect(payloads.write(source(6_000_000), { bytesMax: 1e9 })).rejects.toMatchObject({
        code: "storage-full",
      });
      expect((await buffer(await payloads.read(kept.id))).length).toBe(4_000_000);
      await payloads.remove(kept.id);
      left = 8 * 2 ** 20;
      expect((await payloads.write(source(6_000_000), { bytesMax: 1e9 })).bytes).toBe(6_000_000);
    } finally {
      if (isMounted) spawnSync("umount", [mountPoint]);
    }
  });

  it("removes what a crash left half-written when it opens, and nothing that another server is writing", async () => {
    const ageHours = { own: 0, others: 23, abandoned: 25 };
    for (const [server, hours] of Object.entries(ageHours)) {
      const half = join(directory, "incoming", server, "half");
      await mkdir(dirname(half), { recursive: true });
      await writeFile(half, "half a payload");
      const writtenAt = new Date(clock.nowMs() - hours * 3_600_000);
      await utimes(half, writtenAt, writtenAt);
    }
    await using _payloads = await openFilesystemPayloads(deps, { directory, server: "own" });
    expect((await filesIn(directory)).map((file) => file.parentPath)).toEqual([join(directory, "incoming", "others")]);
  });

  it("removes directories that have become empty and makes them again when they are needed", async () => {
    await using payloads = await openFilesystemPayloads(deps, { directory });
    const { id } = await payloads.write(source(10), { bytesMax: 10 });
    await payloads.remove(id);
    await clock.advance(1);
    await list(payloads);
    await list(payloads);
    expect(await readdir(directory)).toEqual(["incoming"]);
    await payloads.write(source(10), { bytesMax: 10 });
    await clock.advance(1);
    expect(await list(payloads)).toHaveLength(1);
  });

  it("keeps its files from other users of the machine", async () => {
    await using payloads = await openFilesystemPayloads(deps, { directory: join(directory, "own") });
    await payloads.write(source(10), { bytesMax: 10 });
    const found = spawnSync("find", [join(directory, "own"), "-perm", "/077"]);
    expect({ status: found.status, open: found.stdout.toString() }).toEqual({ status: 0, open: "" });
  });
});

function list(payloads: PayloadDriver) {
  return payloads.list({ writtenBeforeMs: Number.MAX_SAFE_INTEGER, countMax: 10 });
}

async function* source(bytes: number): AsyncGenerator<Uint8Array> {
  for (let left = bytes; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536), 1);
}

async function countFiles(directory: string): Promise<number> {
  return (await filesIn(directory)).length;
}

async function filesIn(directory: string) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile());
}

function recordingLogger(logged: string[]): Logger {
  return { ...silentLogger(), error: (message) => logged.push(message) };
}
