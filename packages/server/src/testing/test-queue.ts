import { expect } from "vitest";
import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Clock } from "../kernel/clock.ts";
import { createIds, type NewId } from "../kernel/ids.ts";
import { silentLogger } from "../kernel/logger.ts";
import { seededRandom } from "../kernel/random.ts";
import type { NewWork, Work, WorkKind, WorkOutcome, WorkQueue } from "../work/work.ts";
import { createWorkQueue, type WorkQueueDeps } from "../work/work-queue.ts";
import type { ManualClock } from "./manual-clock.ts";
import type { OpenTestStore } from "./stores.ts";

/** One node's queue with handlers that a test answers by hand. */
export interface TestQueue extends AsyncDisposable {
  readonly queue: WorkQueue;
  readonly ids: NewId;
  /** Work with defaults: kind `call`, lane `lane`, due now, one attempt, an hour to live. */
  work(overrides?: Partial<NewWork>): NewWork;
}

export function openTestQueue(
  store: Store<MainTables>,
  clock: Clock,
  options: Partial<WorkQueueDeps> & { readonly seed?: number } = {},
): TestQueue {
  const random = seededRandom(options.seed ?? 1);
  const ids = createIds(clock, random);
  const queue = createWorkQueue({ store, clock, ids, random, logger: silentLogger(), placesMax: 16, ...options });
  const work = (overrides: Partial<NewWork> = {}): NewWork => ({
    id: ids(),
    kind: "call",
    lane: "lane",
    dueAtMs: clock.nowMs(),
    attemptsMax: 1,
    ageMsMax: 3_600_000,
    details: {},
    causeId: undefined,
    traceId: undefined,
    ...overrides,
  });
  return { queue, ids, work, [Symbol.asyncDispose]: () => queue[Symbol.asyncDispose]() };
}

/** A started run: the test says how it ends. */
export interface StartedRun {
  readonly work: Work;
  readonly signal: AbortSignal;
  end(outcome: WorkOutcome): void;
  fail(error: unknown): void;
}

/** A kind whose runs wait for the test. Like a function with `capacity` instances: `admit` says how many are free. */
export class HeldKind implements WorkKind {
  readonly name: string;
  readonly placesReserved: number;
  readonly started: StartedRun[] = [];
  capacity: number;
  readonly #running = new Map<string, number>();

  constructor(options: { readonly name?: string; readonly capacity?: number; readonly placesReserved?: number } = {}) {
    this.name = options.name ?? "call";
    this.capacity = options.capacity ?? 8;
    this.placesReserved = options.placesReserved ?? 0;
  }

  admit(lane: string): number {
    return this.capacity - (this.#running.get(lane) ?? 0);
  }

  async run(work: Work, signal: AbortSignal): Promise<WorkOutcome> {
    this.#count(work.lane, 1);
    const { promise, resolve, reject } = Promise.withResolvers<WorkOutcome>();
    this.started.push({ work, signal, end: resolve, fail: reject });
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    try {
      return await promise;
    } finally {
      this.#count(work.lane, -1);
    }
  }

  /** The numbers of the attempts that were started of an item. */
  attempts(id: string): readonly number[] {
    return this.started.filter((run) => run.work.id === id).map((run) => run.work.attempt);
  }

  #count(lane: string, by: number): void {
    this.#running.set(lane, (this.#running.get(lane) ?? 0) + by);
  }
}

/** Waits, in real time, until what is polled is as expected. */
export function eventually<T>(poll: () => T) {
  return expect.poll(poll, { interval: 2, timeout: 15_000 });
}

export async function workIds(opened: OpenTestStore): Promise<readonly string[]> {
  const found = await opened.store.db.selectFrom("work").select("id").orderBy("id").execute();
  return found.map((row) => row.id);
}

/** Everything that was asked of the store before has been answered, and what follows from it has been asked. */
export async function settled(opened: OpenTestStore): Promise<void> {
  for (let round = 0; round < 5; round++) {
    await opened.store.apply([{ query: opened.store.db.deleteFrom("facts").where("key", "=", "none") }]);
    await workIds(opened);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Turns the clock in small steps, letting what each step causes finish, until it holds; at most for two minutes. */
export async function advanceUntil(
  opened: OpenTestStore,
  clock: ManualClock,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  for (let step = 0; step < 480 && !(await holds()); step++) {
    await clock.advance(250);
    await settled(opened);
  }
  expect(await holds()).toBe(true);
}
