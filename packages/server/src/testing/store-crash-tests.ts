import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { assert } from "../kernel/assert.ts";
import { seededRandom } from "../kernel/random.ts";
import { facts, type StoreBench } from "./store-bench.ts";
import type { OpenTestStore } from "./stores.ts";

const rounds = 5;
/** Each round starts a process. */
const timeoutMs = 120_000;

export function crashTests(bench: StoreBench): void {
  it(
    "keeps every acknowledged batch, whole, when the process is killed under load again and again",
    async () => {
      const random = seededRandom(20_260);
      const acknowledged: number[] = [];
      await close(bench.opened);
      for (let round = 0; round < rounds; round++) {
        const before = Math.max(0, ...acknowledged) + 1_000;
        const killAfter = 1 + Math.floor(random.number() * 400);
        acknowledged.push(...(await writeUntilKilled(bench.opened, { first: before, killAfter })));
        bench.opened = await bench.opened.reopen();
        const found = await facts(bench.store);
        const missing = acknowledged.filter((number) => found[`${number}-left`] === undefined);
        const halves = Object.values(found).filter(
          (number) => !(`${number}-left` in found && `${number}-right` in found),
        );
        expect({ missing, halves }).toEqual({ missing: [], halves: [] });
        await close(bench.opened);
      }
      expect(acknowledged.length).toBeGreaterThan(rounds);
      bench.opened = await bench.opened.reopen();
    },
    timeoutMs,
  );
}

/** Starts a writer, kills it after some acknowledgements, and gives all it printed. */
async function writeUntilKilled(
  { kind, location }: OpenTestStore,
  { first, killAfter }: { first: number; killAfter: number },
): Promise<readonly number[]> {
  const program = fileURLToPath(new URL("./store-writer.ts", import.meta.url));
  const writer = spawn(process.execPath, [program, kind, location, `${first}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const printed: number[] = [];
  const lines = createInterface({ input: writer.stdout });
  lines.on("line", (line) => {
    printed.push(Number(line));
    if (printed.length === killAfter) writer.kill("SIGKILL");
  });
  const [[, signal]] = await Promise.all([once(writer, "exit"), once(lines, "close")]);
  assert(signal === "SIGKILL", "the writer goes on until it is killed");
  return printed;
}

async function close({ store, telemetry }: OpenTestStore): Promise<void> {
  await store[Symbol.asyncDispose]();
  await telemetry[Symbol.asyncDispose]();
}
