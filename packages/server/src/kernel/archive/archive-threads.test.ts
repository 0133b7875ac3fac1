import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { Readable } from "node:stream";
import type { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import { packBundle } from "../../testing/pack-bundle.ts";
import { ArchiveRefused, ArchiveThreads, inspectArchive } from "./index.ts";

const limits = { entriesMax: 50, bytesMax: 2 ** 20, pathBytesMax: 200, ratioMax: 100 };
const never = new AbortController().signal;

let clock: ManualClock;
let threads: ArchiveThreads;
let made: Worker[];
/** Node tells of every thread that this one makes. */
const onMade = (message: unknown) => {
  // The channel's message, as Node documents it.
  made.push((message as { worker: Worker }).worker);
};
beforeEach(() => {
  clock = new ManualClock();
  threads = new ArchiveThreads(clock);
  made = [];
  subscribe("worker_threads", onMade);
});
afterEach(async () => {
  unsubscribe("worker_threads", onMade);
  await threads[Symbol.asyncDispose]();
});

async function inspect(signal = never): Promise<unknown> {
  const { bytes } = await packBundle([["func.js", "code"]]);
  return inspectArchive({ source: Readable.from([bytes]), threads, limits }, signal);
}

it("read one archive after the other in one thread, and end it when nothing has come for a while", async () => {
  for (const _ of [1, 2, 3]) await inspect();
  expect(made).toHaveLength(1);
  const ended = once(made[0] ?? process, "exit");
  await clock.advance(30_000);
  await ended;
  await inspect();
  expect(made).toHaveLength(2);
});

it("read archives that come together at the same time", async () => {
  expect(await Promise.all([inspect(), inspect()])).toEqual(Array(2).fill({ entries: 1, bytes: expect.any(Number) }));
  expect(made).toHaveLength(2);
});

it("never use one again that refused an archive or was aborted", async () => {
  await inspect();
  const refused = inspectArchive({ source: Readable.from([Buffer.from("no archive")]), threads, limits }, never);
  await expect(refused).rejects.toThrow(ArchiveRefused);
  await inspect();
  const controller = new AbortController();
  const stuck = inspectArchive({ source: new Readable({ read() {} }), threads, limits }, controller.signal);
  controller.abort(new Error("enough"));
  await expect(stuck).rejects.toThrow("enough");
  await inspect();
  expect(made).toHaveLength(3);
  expect(made.slice(0, 2).map((worker) => worker.threadId)).toEqual([-1, -1]);
});

it("end with their owner", async () => {
  await Promise.all([inspect(), inspect()]);
  await threads[Symbol.asyncDispose]();
  expect(made.map((worker) => worker.threadId)).toEqual([-1, -1]);
});
