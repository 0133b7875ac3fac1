import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../packages/server/src/kernel/random.ts";
import { type TestStore, testStores } from "../packages/server/src/testing/stores.ts";
import { CrashServer } from "./crash-server-process.ts";
import { deployCode } from "./deploy-code.ts";

const seed = Number(process.env.CHAYA_TEST_SEED ?? Date.now() % 1_000_000);
const budgetMs = Number(process.env.CHAYA_TEST_BUDGET_MS ?? 45_000);

/** Appends its call id and attempt to a file outside: what really ran. */
const code = `
const { appendFileSync } = require("node:fs");
require("@fnproject/fdk").handle((input, context) => {
  appendFileSync(process.env.EFFECTS, context.getHeader("Fn-Call-Id") + " " + context.getHeader("Chaya-Attempt") + "\\n");
  if (input.fails) throw new Error("as told");
  return {};
});`;

interface Sent {
  readonly name: string;
  readonly body: unknown;
  readonly key?: string;
}

const workload: readonly Sent[] = [
  { name: "small", body: { n: 1 } },
  { name: "large", body: { n: 2, filler: "x".repeat(10_000) } },
  { name: "failing", body: { fails: true } },
  { name: "keyed", body: { n: 3 }, key: "the-key" },
  { name: "keyed again", body: { n: 3 }, key: "the-key" },
];

/** How each must end, once it was acknowledged. */
const outcomes: Readonly<Record<string, string>> = {
  small: "succeeded",
  large: "succeeded",
  failing: "failed dead",
  keyed: "succeeded",
  "keyed again": "succeeded",
};

describe.each(testStores())("acknowledged detached calls on the $kind store", (store) => {
  it(
    "end as in an undisturbed run wherever the server is killed",
    async () => {
      const undisturbed = await run(store, "none");
      expect(undisturbed.outcomes).toEqual(outcomes);
      const points = shuffled(pointsOf(undisturbed.operations));
      const startedMs = performance.now();
      let tried = 0;
      for (const point of points) {
        if (performance.now() - startedMs > budgetMs) break;
        const { acknowledged, outcomes: ended } = await run(store, point);
        const wanted = Object.fromEntries(acknowledged.map((name) => [name, outcomes[name]]));
        expect(ended, `killed ${point} (CHAYA_TEST_SEED=${seed})`).toMatchObject(wanted);
        tried++;
      }
      console.log(
        `${store.kind}: ${undisturbed.operations} operations, ${tried} of ${points.length} crash points, seed ${seed}`,
      );
      expect(tried).toBeGreaterThan(0);
    },
    budgetMs * 3 + 60_000,
  );

  it("are lost by a server that acknowledges before it commits, and this test sees it", async () => {
    const { acknowledged, outcomes: ended } = await run(store, "broken");
    expect(acknowledged).not.toEqual([]);
    expect(acknowledged.some((name) => ended[name] !== outcomes[name])).toBe(true);
  }, 60_000);
});

interface Ran {
  readonly operations: number;
  readonly acknowledged: readonly string[];
  /** Of what was acknowledged. */
  readonly outcomes: Readonly<Record<string, string>>;
}

async function run(store: TestStore, point: string): Promise<Ran> {
  await using database = await store.open();
  const directory = mkdtempSync(join(tmpdir(), "chaya-crash-"));
  try {
    const data = store.kind === "embedded" ? join(directory, "data") : join(directory, "node");
    const location = store.kind === "embedded" ? "embedded" : database.location;
    const effects = join(directory, "effects");
    const first = await CrashServer.start(data, location, point);
    const fnId = await deployCode(first.url, { app: "crash", name: "fn", code, config: { EFFECTS: effects } });
    await first.count();
    const ids = await sendAll(first, fnId);
    const acknowledged = [...ids.keys()];
    if (point === "none") {
      const ended = await settled(first.url, ids);
      return { operations: await first.stop(), acknowledged, outcomes: withEffects(ended, ids, effects) };
    }
    await first.kill(point === "broken" ? 0 : 2_000);
    const second = await CrashServer.start(data, location, "none");
    try {
      const ended = await settled(second.url, ids);
      if (ids.has("keyed") && (await callOfKey(second.url, fnId)) !== ids.get("keyed"))
        ended.keyed = "its key gave another call";
      return { operations: 0, acknowledged, outcomes: withEffects(ended, ids, effects) };
    } finally {
      await second.kill(0);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Sends the workload one after the other; ends early when the server stopped. Gives the acknowledged ones. */
async function sendAll(server: CrashServer, fnId: string): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const { name, body, key } of workload) {
    const headers: Record<string, string> = { "Fn-Invoke-Type": "detached" };
    if (key !== undefined) headers["Idempotency-Key"] = key;
    try {
      const request = { method: "POST", headers, body: JSON.stringify(body), signal: server.stopped };
      const answer = await fetch(`${server.url}/invoke/${fnId}`, request);
      await answer.arrayBuffer();
      if (answer.status === 202) ids.set(name, answer.headers.get("fn-call-id") ?? "");
    } catch (error) {
      if (!server.stopped.aborted) throw error;
      return ids;
    }
  }
  return ids;
}

/** Waits until every call has ended and no work is left of it. */
async function settled(url: string, ids: ReadonlyMap<string, string>): Promise<Record<string, string>> {
  const ended: Record<string, string> = {};
  const deadlineMs = performance.now() + 12_000;
  for (const [name, id] of ids) {
    for (;;) {
      const state = await stateOf(url, id);
      ended[name] = state;
      if (Object.values(outcomes).includes(state) && state === outcomes[name]) break;
      if (performance.now() > deadlineMs) break;
      await pause(30);
    }
  }
  return ended;
}

async function stateOf(url: string, id: string): Promise<string> {
  const answer = await fetch(`${url}/chaya/v1/calls/${id}`);
  // The contract's CallView, or a problem without status.
  const { status } = (await answer.json()) as { status?: string | number };
  const letter = await fetch(`${url}/chaya/v1/dead-letters/${id}`);
  await letter.arrayBuffer();
  return [answer.ok ? status : "unknown", ...(letter.ok ? ["dead"] : [])].join(" ");
}

/** What was acknowledged must have run: at least once, and never twice under one attempt number. */
function withEffects(ended: Record<string, string>, ids: ReadonlyMap<string, string>, effects: string) {
  const lines = readLines(effects);
  for (const [name, id] of ids) {
    const attempts = lines.filter((line) => line.startsWith(id));
    if (attempts.length === 0) ended[name] = "never ran";
    else if (new Set(attempts).size !== attempts.length) ended[name] = "ran twice under one attempt number";
  }
  return ended;
}

/** The same request with the same key once more: the first call's id. */
async function callOfKey(url: string, fnId: string): Promise<string | null> {
  const keyed = workload.find(({ name }) => name === "keyed");
  const headers = { "Fn-Invoke-Type": "detached", "Idempotency-Key": keyed?.key ?? "" };
  const answer = await fetch(`${url}/invoke/${fnId}`, { method: "POST", headers, body: JSON.stringify(keyed?.body) });
  await answer.arrayBuffer();
  return answer.headers.get("fn-call-id");
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
}

function pointsOf(operations: number): string[] {
  return Array.from({ length: operations }, (_, index) => [`before:${index}`, `after:${index}`]).flat();
}

function shuffled(points: readonly string[]): string[] {
  const random = seededRandom(seed);
  return points
    .map((point) => ({ point, order: random.number() }))
    .sort((a, b) => a.order - b.order)
    .map(({ point }) => point);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
