import { isProblem, type ProblemCode } from "@chaya/contract";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";

/** What waits to be written, oldest first. A batch is a list of items, or something as long as one. */
export interface Backlog<Batch extends { readonly length: number }> {
  /** Items. */
  readonly size: number;
  /** Removes and returns up to `countMax` items. */
  take(countMax: number): Batch;
}

export interface WriteBehindOptions<Batch extends { readonly length: number }> {
  /** For the log: what is not stored. */
  readonly what: string;
  readonly backlog: Backlog<Batch>;
  readonly batchItemsMax: number;
  readonly write: (batch: Batch) => Promise<void>;
  /** Told how many items will never be written. */
  readonly onLost: (count: number) => void;
}

/** The store cannot take it now. */
const storeProblems: ReadonlySet<ProblemCode> = new Set(["store-unavailable", "store-damaged", "storage-full"]);
/** How long the first of a batch waits for others. */
const gatherMs = 100;
const repeatAfterMs = 1_000;

/**
 * Writes a backlog in batches, one at a time, off the path of those who fill it. A batch the store cannot take now
 * (away, disk full) is held and tried again every second, with nothing overtaking it; whatever else fails is a bug,
 * and its batch is lost rather than blocking all that follow.
 */
export class WriteBehind<Batch extends { readonly length: number }> {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #options: WriteBehindOptions<Batch>;
  #held: Batch | undefined;
  #timer: Timer | undefined;
  #isTimerForFullBatch = false;
  #round: Promise<void> | undefined;
  #isFailing = false;
  #isClosed = false;

  constructor(deps: { readonly clock: Clock; readonly logger: Logger }, options: WriteBehindOptions<Batch>) {
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#options = options;
  }

  /** Call after something was added to the backlog. Hot path: arms a timer at most. */
  added(): void {
    if (this.#round !== undefined || this.#isFailing || this.#isClosed) return;
    const isFull = this.#options.backlog.size >= this.#options.batchItemsMax;
    if (this.#timer !== undefined && (this.#isTimerForFullBatch || !isFull)) return;
    this.#arm(isFull ? 0 : gatherMs);
    this.#isTimerForFullBatch = isFull;
  }

  /** Resolves when what had been added before is written, or cannot be written now. Never rejects. */
  async flush(): Promise<void> {
    // Two rounds: one under way may have taken its last batch before the newest item was added.
    await this.#round;
    await this.#start();
  }

  /** Writes what is left. What the store does not take even now is lost, and logged. */
  async close(): Promise<void> {
    this.#isClosed = true;
    do await this.flush();
    while (this.#options.backlog.size > 0 && !this.#isFailing);
    this.#timer?.cancel();
    const lost = (this.#held?.length ?? 0) + this.#options.backlog.size;
    if (lost > 0) this.#lose(lost, "the store did not take it before the end");
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.schedule(delayMs, () => {
      this.#timer = undefined;
      void this.#start();
    });
  }

  #start(): Promise<void> {
    this.#round ??= this.#writeBacklog(this.#options.backlog.size).finally(() => {
      this.#round = undefined;
      if (this.#isFailing && !this.#isClosed) this.#arm(repeatAfterMs);
      else if (this.#options.backlog.size > 0) this.added();
    });
    return this.#round;
  }

  /** Writes what is held and `count` more; what is added meanwhile waits for the next round. */
  async #writeBacklog(count: number): Promise<void> {
    if (this.#held !== undefined && !(await this.#write(this.#held))) return;
    for (let left = count; left > 0; ) {
      const batch = this.#options.backlog.take(Math.min(left, this.#options.batchItemsMax));
      if (batch.length === 0) return;
      left -= batch.length;
      if (!(await this.#write(batch))) return;
    }
  }

  /** false: the store cannot take it now. */
  async #write(batch: Batch): Promise<boolean> {
    this.#held = batch;
    try {
      await this.#options.write(batch);
    } catch (error) {
      if (isProblem(error) && storeProblems.has(error.code)) {
        if (!this.#isFailing) this.#logger.warn("telemetry waits for the store", { what: this.#options.what, error });
        this.#isFailing = true;
        return false;
      }
      this.#lose(batch.length, error);
    }
    this.#held = undefined;
    if (this.#isFailing) this.#logger.info("telemetry is stored again", { what: this.#options.what });
    this.#isFailing = false;
    return true;
  }

  #lose(count: number, error: unknown): void {
    this.#logger.error("telemetry lost", { what: this.#options.what, items: count, error });
    this.#options.onLost(count);
  }
}
