import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testStores } from "../packages/server/src/testing/stores.ts";
import { send, sendDetached, until } from "./calls.ts";
import { deployCode } from "./deploy-code.ts";
import { startTestPlatform, type TestPlatform } from "./test-platform.ts";
import { wildFunction } from "./wild-function.ts";

for (const store of testStores()) {
  describe(`GET /metrics over the ${store.kind} store`, () => {
    let platform: TestPlatform;
    let directory: string;
    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), "chaya-work-"));
      platform = await startTestPlatform(store);
    });
    afterAll(async () => {
      await platform[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    });

    it("shows what waits, for how long, what runs, what was given up, and the nodes", async () => {
      const { url } = platform;
      expect(await metricsOf(url)).toMatchObject({
        'chaya_work_waiting{kind="call"}': 0,
        'chaya_work_oldest_due_seconds{kind="call"}': 0,
        'chaya_work_running{kind="call"}': 0,
        'chaya_work_dead_letters{kind="call"}': 0,
        chaya_nodes_live: 1,
      });
      const annotations = { "chaya/max-instances": 1 };
      const fnId = await deployCode(url, { app: "work", name: "one-by-one", code: wildFunction, annotations });
      const [first] = await Promise.all([1, 2, 3].map(() => sendDetached(url, fnId, { sleep: 1_500 })));
      expect(first).not.toBe("");
      const busy = await until(async () => {
        const metrics = await metricsOf(url);
        const isRunning = metrics['chaya_work_running{kind="call"}'] === 1;
        return isRunning && (metrics['chaya_work_oldest_due_seconds{kind="call"}'] ?? 0) >= 0.5 ? metrics : undefined;
      }, "work that is due for half a second while other work runs");
      expect(busy).toMatchObject({ 'chaya_work_waiting{kind="call"}': 2 });
      expect(busy['chaya_work_oldest_due_seconds{kind="call"}']).toBeLessThan(15);

      const failing = await deployCode(url, { app: "work", name: "failing", code: wildFunction });
      const given = await sendDetached(url, failing, { exit: 1 });
      await until(async () => {
        const { status } = await send(`${url}/chaya/v1/dead-letters/${given}`, undefined, { method: "GET" });
        return status === 200 || undefined;
      }, "the dead letter");
      await until(async () => {
        const metrics = await metricsOf(url);
        return metrics['chaya_work_dead_letters{kind="call"}'] === 1 || undefined;
      }, "the count of dead letters");
      const idle = ['chaya_work_running{kind="call"}', 'chaya_work_waiting{kind="call"}'];
      const end = await until(async () => {
        const metrics = await metricsOf(url);
        return idle.every((name) => metrics[name] === 0) ? metrics : undefined;
      }, "the end of the work");
      expect(end['chaya_work_oldest_due_seconds{kind="call"}']).toBe(0);
    });

    it("says of each of them what it is", async () => {
      const { text } = await send(`${platform.url}/metrics`, undefined, { method: "GET" });
      for (const name of ["work_waiting", "work_oldest_due_seconds", "work_running", "work_dead_letters", "nodes_live"])
        expect(text).toMatch(new RegExp(`^# HELP chaya_${name} .+\\n# TYPE chaya_${name} gauge\\nchaya_${name}`, "m"));
    });
  });
}

/** The value of each series. */
async function metricsOf(url: string): Promise<Readonly<Record<string, number>>> {
  const { status, text } = await send(`${url}/metrics`, undefined, { method: "GET" });
  expect(status).toBe(200);
  const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    series.map((line) => line.split(/ (?=[^ ]*$)/)).map(([name, value]) => [name, Number(value)]),
  );
}
