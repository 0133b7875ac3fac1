import { limits } from "@chaya/contract";
import type { Statement, Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import { assert } from "../kernel/assert.ts";
import type { Clock } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Random } from "../kernel/random.ts";
import type { Backoff } from "../kernel/retry.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { Lane } from "./lanes.ts";
import { Lookout } from "./lookout.ts";
import { Places } from "./places.ts";
import { getDeadLetter, listDeadLetters, removeDeadLetter, reviveDeadLetter } from "./records/dead-letter-rows.ts";
import { releaseAllLeases, releaseLeases } from "./records/lease-rows.ts";
import { insertWork, type LeasedWork } from "./records/work-rows.ts";
import { RunningWork } from "./running-work.ts";
import type { Settled } from "./settle.ts";
import { Sweeper } from "./sweeper.ts";
import { throttled } from "./throttled.ts";
import type { DeadLetters, KindFigures, NewWork, WorkKind, WorkQueue } from "./work.ts";
import { WorkCounts } from "./work-counts.ts";

export interface WorkQueueDeps {
  readonly store: Store<MainTables>;
  readonly clock: Clock;
  readonly ids: NewId;
  readonly random: Random;
  readonly logger: Logger;
  /** How many items run on this node at once. */
  readonly placesMax: number;
  /** What follows has defaults; tests on a store with a clock of its own shorten them. */
  readonly leaseMs?: number;
  readonly backoff?: Backoff;
  readonly safetyPollMs?: number;
  readonly sweepMs?: number;
  readonly deadLettersMax?: number;
}

const channel = "work";
/** While work is added all the time, other nodes are told this often. */
const hintGapMs = 50;

/** The queue over a store. Owns nothing but its leases: close it before the store. */
export function createWorkQueue(deps: WorkQueueDeps): WorkQueue {
  return new StoredWorkQueue(deps);
}

class StoredWorkQueue implements WorkQueue {
  readonly deadLetters: DeadLetters;
  readonly #deps: WorkQueueDeps;
  readonly #leaseMs: number;
  readonly #places: Places;
  readonly #dispatcher: Dispatcher;
  readonly #lookout: Lookout;
  readonly #running: RunningWork;
  readonly #sweeper: Sweeper;
  readonly #counts: WorkCounts;
  readonly #hint: ReturnType<typeof throttled>;
  #hints: Disposable | undefined;
  #closing: Promise<void> | undefined;

  constructor(deps: WorkQueueDeps) {
    this.#deps = deps;
    const { store, clock, ids, random, logger } = deps;
    const leaseMs = deps.leaseMs ?? limits.workLeaseMs;
    const safetyPollMs = deps.safetyPollMs ?? 1_000;
    this.#leaseMs = leaseMs;
    this.#places = new Places(deps.placesMax);
    this.#counts = new WorkCounts(store, clock);
    this.#hint = throttled(clock, hintGapMs, () => store.hint(channel));
    this.#running = new RunningWork({
      ...{ store, clock, random, logger, leaseMs },
      backoff: deps.backoff ?? { baseMs: limits.retryBackoffMsBase, maxMs: limits.retryBackoffMsMax },
      onLeft: (item, settled) => this.#left(item, settled),
    });
    this.#dispatcher = new Dispatcher({
      ...{ store, clock, ids, logger, leaseMs },
      places: this.#places,
      safetyPollMs,
      run: (kind, item, monotonicMs) => this.#running.run(kind, item, monotonicMs),
    });
    this.#lookout = new Lookout({
      ...{ store, clock, logger },
      safetyPollMs,
      kinds: () => this.#dispatcher.kinds.map((kind) => kind.name),
      onDue: (kind, lane) => this.#dispatcher.markDue(kind, lane),
    });
    this.#sweeper = new Sweeper({
      ...{ store, clock, ids, logger, leaseMs },
      sweepMs: deps.sweepMs ?? 5_000,
      deadLettersMax: deps.deadLettersMax ?? limits.deadLettersMax,
      kinds: () => this.#dispatcher.kinds,
      onDied: ({ work }) => this.#counts.changed(work.kind, work.lane, -1),
    });
    this.deadLetters = {
      list: (options) => listDeadLetters(store, options),
      get: (id) => getDeadLetter(store, id),
      redrive: (id) => this.#redrive(id),
      remove: (id) => removeDeadLetter(store, id),
    };
  }

  register(kind: WorkKind): void {
    this.#dispatcher.register(kind);
  }

  async start(): Promise<void> {
    const { store, logger } = this.#deps;
    // Nobody else has an embedded store open: a lease found now belonged to a process that is gone, and need not run out.
    if (store.kind === "embedded") {
      const count = await releaseAllLeases(store);
      if (count > 0) logger.info("work of a process that ended was taken over", { count });
    }
    this.#hints = store.onHint(channel, () => this.#lookout.look());
    this.#running.start();
    this.#sweeper.start();
    this.#dispatcher.start();
    this.#lookout.start();
  }

  adding(item: NewWork): readonly Statement[] {
    // What is due by this node's clock is due by the store's: the two need not agree.
    const isDue = item.dueAtMs <= this.#deps.clock.nowMs();
    return [insertWork(this.#deps.store, item, isDue ? {} : { dueAtMs: item.dueAtMs })];
  }

  added(items: readonly Pick<NewWork, "kind" | "lane" | "dueAtMs">[]): void {
    const nowMs = this.#deps.clock.nowMs();
    for (const { kind, lane, dueAtMs } of items) {
      this.#counts.changed(kind, lane, 1);
      if (dueAtMs > nowMs) {
        this.#lookout.expect(kind, lane, dueAtMs - nowMs);
        continue;
      }
      this.#dispatcher.markDue(kind, lane);
      this.#hint();
    }
  }

  async add(item: NewWork): Promise<void> {
    const isDue = item.dueAtMs <= this.#deps.clock.nowMs();
    const lane = isDue ? this.#dispatcher.admitNow(item.kind, item.lane) : undefined;
    if (lane !== undefined) return this.#addLeased(item, lane);
    const applied = await this.#deps.store.apply(this.adding(item));
    assert(applied.kind === "applied", "ids of work are unique");
    this.added([item]);
  }

  /** Adds an item that is leased by the same write, and runs it once that is acknowledged. */
  async #addLeased(item: NewWork, lane: Lane): Promise<void> {
    const { store, clock, ids } = this.#deps;
    const lease = { token: ids(), leaseMs: this.#leaseMs };
    const monotonicMs = clock.monotonicMs();
    const acceptedAtMs = clock.nowMs();
    try {
      const applied = await store.apply([insertWork(store, item, { lease })]);
      assert(applied.kind === "applied", "ids of work are unique");
    } catch (error) {
      this.#dispatcher.withdraw(lane);
      throw error;
    }
    this.#counts.changed(item.kind, item.lane, 1);
    if (!this.#dispatcher.isClaiming) {
      this.#dispatcher.withdraw(lane);
      return releaseLeases(store, [{ id: item.id, token: lease.token }]);
    }
    this.#dispatcher.begin(lane, firstAttempt(item, lease.token, acceptedAtMs), monotonicMs);
  }

  capacityChanged(kind: string, lane: string): void {
    if (this.#dispatcher.lanes.wake(kind, lane)) this.#dispatcher.wake();
  }

  count(kind: string, lane: string): Promise<number> {
    return this.#counts.lane(kind, lane);
  }

  figures(): Promise<readonly KindFigures[]> {
    const kinds = this.#dispatcher.kinds.map(({ name }) => name);
    return Promise.all(
      kinds.map(async (kind) => ({ ...(await this.#counts.kind(kind)), running: this.#running.countOf(kind) })),
    );
  }

  async drain(deadlineMs: number): Promise<void> {
    await Promise.all([this.#lookout.stop(), this.#dispatcher.stop()]);
    this.#hints?.[Symbol.dispose]();
    await this.#sweeper.stop();
    if (deadlineMs > 0) await this.#running.drain(deadlineMs);
    await this.#running.abandon(new DOMException("The node stops", "AbortError"));
  }

  /** Aborts what still runs and waits until it has ended. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.drain(0);
    await this.#running.ended();
    this.#hint.cancel();
  }

  #left(item: LeasedWork, settled: Settled): void {
    const { kind, lane } = item.work;
    this.#places.give(kind);
    if (settled.kind === "gone") this.#counts.changed(kind, lane, -1);
    if (settled.kind === "again") this.#lookout.expect(kind, lane, settled.delayMs);
    if (this.#dispatcher.lanes.wake(kind, lane) || this.#dispatcher.lanes.hasReady) this.#dispatcher.wake();
  }

  async #redrive(id: string): Promise<boolean> {
    const revived = await reviveDeadLetter(this.#deps.store, id);
    if (revived === undefined) return false;
    this.added([{ ...revived, dueAtMs: this.#deps.clock.nowMs() }]);
    return true;
  }
}

function firstAttempt(item: NewWork, token: string, acceptedAtMs: number): LeasedWork {
  const { ageMsMax, payload, payloadId, ...rest } = item;
  return {
    work: { ...rest, payload, payloadId, acceptedAtMs, attempt: 1 },
    token,
    failures: 0,
    expiresAtMs: acceptedAtMs + ageMsMax,
    leasedAtMs: acceptedAtMs,
  };
}
