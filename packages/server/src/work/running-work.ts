import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import { assert } from "../kernel/assert.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Random } from "../kernel/random.ts";
import { type Backoff, retryDelayMs } from "../kernel/retry.ts";
import { releaseLeases, renewLeases } from "./records/lease-rows.ts";
import type { Held, LeasedWork } from "./records/work-rows.ts";
import { type Settled, settle } from "./settle.ts";
import { settlementOf } from "./settlement.ts";
import type { WorkKind, WorkOutcome } from "./work.ts";

export interface RunningWorkDeps {
  readonly store: Store<MainTables>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly leaseMs: number;
  readonly backoff: Backoff;
  /** An item left: settled, or lost to somebody else. */
  readonly onLeft: (item: LeasedWork, settled: Settled) => void;
}

interface Run {
  readonly kind: WorkKind;
  readonly item: LeasedWork;
  readonly controller: AbortController;
  readonly leasedAtMonotonicMs: number;
  token: string;
  /** By this node's monotonic clock, never later than the end of the lease by the store's. */
  leaseEndsMonotonicMs: number;
  isSettling: boolean;
  /** Since when the store has refused to write the outcome. */
  refusedSinceMonotonicMs: number | undefined;
}

/** Renews in batches that fit into one statement's parameters. */
const renewedPerStatementMax = 500;
const settleRetry: Backoff = { baseMs: 50, maxMs: 2_000 };
/** A node that stops waits so long for a store that refuses outcomes. */
const refusedMsMax = 1_000;
const refusedPollMs = 100;

/** The items that this node holds leases of and runs. A run ends when its item is settled or its lease is lost. */
export class RunningWork {
  readonly #deps: RunningWorkDeps;
  readonly #runs = new Map<string, Run>();
  readonly #ends = new Set<Promise<void>>();
  #renewal: Timer | undefined;
  #isRenewing: Promise<void> | undefined;

  constructor(deps: RunningWorkDeps) {
    this.#deps = deps;
  }

  /** Begins to renew leases, three times within each. */
  start(): void {
    const { clock, leaseMs } = this.#deps;
    this.#renewal = clock.every(leaseMs / 3, () => {
      this.#isRenewing ??= this.#renewAll().finally(() => {
        this.#isRenewing = undefined;
      });
    });
  }

  /** Runs an item that was leased. `monotonicMs` was read before the lease was asked for. */
  run(kind: WorkKind, item: LeasedWork, monotonicMs: number): void {
    const { clock, leaseMs } = this.#deps;
    const own = this.#runs.get(item.work.id);
    if (own !== undefined && !own.controller.signal.aborted && !own.isSettling) {
      // Our own lease ran out unnoticed (the clock jumped, the process slept) and came back to us: the run goes on.
      own.token = item.token;
      own.leaseEndsMonotonicMs = monotonicMs + leaseMs;
      this.#deps.onLeft(item, { kind: "continued" });
      return;
    }
    const run: Run = {
      kind,
      item,
      controller: new AbortController(),
      leasedAtMonotonicMs: clock.monotonicMs(),
      token: item.token,
      leaseEndsMonotonicMs: monotonicMs + leaseMs,
      isSettling: false,
      refusedSinceMonotonicMs: undefined,
    };
    this.#runs.set(item.work.id, run);
    const end = this.#execute(run).finally(() => this.#ends.delete(end));
    this.#ends.add(end);
  }

  countOf(kind: string): number {
    let count = 0;
    for (const run of this.#runs.values()) if (run.item.work.kind === kind) count++;
    return count;
  }

  /** Resolves when nothing runs any more. */
  async ended(): Promise<void> {
    while (this.#ends.size > 0) await Promise.all(this.#ends);
  }

  /**
   * Resolves when nothing runs any more, or after `deadlineMs`; earlier when all that is left has run and the store
   * refuses to write what came of it. Such items are still in the store, so they run again.
   */
  async drain(deadlineMs: number): Promise<void> {
    const { clock } = this.#deps;
    const { promise: isTime, resolve } = Promise.withResolvers<void>();
    const timers = [
      clock.schedule(deadlineMs, resolve),
      clock.every(refusedPollMs, () => {
        if (this.#isRefused()) resolve();
      }),
    ];
    await Promise.race([this.ended(), isTime]);
    for (const timer of timers) timer.cancel();
  }

  /** Aborts every run and lets the leases go, so that other nodes can claim at once. */
  async abandon(reason: unknown): Promise<void> {
    const { store, logger } = this.#deps;
    this.#renewal?.cancel();
    await this.#isRenewing;
    const held = [...this.#runs.values()].filter((run) => !run.controller.signal.aborted).map(heldBy);
    for (const run of this.#runs.values()) run.controller.abort(reason);
    for (const batch of batches(held)) {
      try {
        await releaseLeases(store, batch);
      } catch (error) {
        logger.warn("work leases could not be released and will run out", { count: batch.length, error });
      }
    }
  }

  async #execute(run: Run): Promise<void> {
    const outcome = await this.#outcome(run);
    run.isSettling = true;
    const settled = await this.#settle(run, outcome);
    if (this.#runs.get(run.item.work.id) === run) this.#runs.delete(run.item.work.id);
    this.#deps.onLeft(run.item, settled);
  }

  async #outcome(run: Run): Promise<WorkOutcome> {
    const { work } = run.item;
    try {
      return await run.kind.run(work, run.controller.signal);
    } catch (error) {
      const { logger, backoff, random } = this.#deps;
      if (!run.controller.signal.aborted) {
        logger.error("work handler failed", { kind: work.kind, lane: work.lane, work: work.id, error });
      }
      const delayMs = retryDelayMs(work.attempt, backoff, random.number());
      return {
        kind: "refused",
        delayMs,
        problem: { code: "internal", sentence: "The work's handler failed.", hint: "" },
      };
    }
  }

  /** Writes the outcome, again and again while the store fails and the lease holds. */
  async #settle(run: Run, outcome: WorkOutcome): Promise<Settled> {
    const { store, clock, random, logger, backoff } = this.#deps;
    const { work, failures, expiresAtMs, leasedAtMs } = run.item;
    for (let repeat = 1; !run.controller.signal.aborted; repeat++) {
      const nowMs = leasedAtMs + clock.monotonicMs() - run.leasedAtMonotonicMs;
      const standing = {
        failures,
        attemptsMax: work.attemptsMax,
        ageMsMax: expiresAtMs - work.acceptedAtMs,
        remainingMs: expiresAtMs - nowMs,
      };
      const settlement = settlementOf(outcome, standing, { backoff, random: random.number() });
      try {
        return await settle({ store, logger }, { kind: run.kind, work, held: heldBy(run) }, settlement);
      } catch (error) {
        run.refusedSinceMonotonicMs ??= clock.monotonicMs();
        if (repeat === 1) logger.error("work could not be settled yet", { kind: work.kind, work: work.id, error });
        await this.#pause(retryDelayMs(repeat, settleRetry, random.number()), run.controller.signal);
      }
    }
    return { kind: "lost" };
  }

  #isRefused(): boolean {
    const nowMs = this.#deps.clock.monotonicMs();
    return [...this.#runs.values()].every(({ refusedSinceMonotonicMs: sinceMs }) => {
      return sinceMs !== undefined && nowMs - sinceMs >= refusedMsMax;
    });
  }

  /** Waits; an abort ends the wait early. */
  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#deps.clock.sleep(delayMs, signal);
    } catch {
      // The signal is looked at by the loop around this.
      assert(signal.aborted, "a sleep ends early only by its signal");
    }
  }

  async #renewAll(): Promise<void> {
    const runs = [...this.#runs.values()].filter((run) => !run.controller.signal.aborted);
    for (const batch of batches(runs)) await this.#renew(batch);
  }

  async #renew(runs: readonly Run[]): Promise<void> {
    const { store, clock, logger, leaseMs } = this.#deps;
    const startedMs = clock.monotonicMs();
    const asked = runs.map((run) => ({ run, held: heldBy(run) }));
    try {
      const renewed = new Set(
        (
          await renewLeases(
            store,
            asked.map((one) => one.held),
            leaseMs,
          )
        ).map(leaseKey),
      );
      for (const { run, held } of asked) {
        if (renewed.has(leaseKey(held))) run.leaseEndsMonotonicMs = startedMs + leaseMs;
        else if (run.token === held.token && !run.isSettling) this.#lose(run);
      }
    } catch (error) {
      logger.warn("work leases could not be renewed yet", { count: runs.length, error });
      for (const { run } of asked) if (clock.monotonicMs() >= run.leaseEndsMonotonicMs) this.#lose(run);
    }
  }

  #lose(run: Run): void {
    const { work } = run.item;
    this.#deps.logger.warn("work lease was lost", { kind: work.kind, lane: work.lane, work: work.id });
    run.controller.abort(new DOMException("The lease of this work was lost", "AbortError"));
  }
}

function heldBy(run: Run): Held {
  return { id: run.item.work.id, token: run.token };
}

function leaseKey(held: Held): string {
  return `${held.id} ${held.token}`;
}

function* batches<T>(items: readonly T[]): Iterable<readonly T[]> {
  for (let start = 0; start < items.length; start += renewedPerStatementMax) {
    yield items.slice(start, start + renewedPerStatementMax);
  }
}
