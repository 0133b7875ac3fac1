import type { Clock, Timer } from "../../../kernel/clock.ts";
import { LinkedQueue } from "../../../kernel/linked-queue.ts";
import type { Logger } from "../../../kernel/logger.ts";
import type { StartFigures } from "../driver.ts";
import { type Flavour, flavourKey } from "./flavour.ts";
import { type PoolSizes, poolTargets } from "./pool-targets.ts";
import { StartRate } from "./start-rate.ts";

/** A process that waits, as far as the pool knows it. */
export interface Waiter {
  readonly isUsable: boolean;
  /** Settles when it has ended; never rejects. */
  readonly ended: Promise<unknown>;
  /** Nobody awaits this end. */
  destroyUnasked(): void;
  destroy(): Promise<void>;
}

export interface PoolDeps<Process extends Waiter> {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sizes: PoolSizes;
  /** As many as there are cores: more only make each slower. */
  readonly startsAtOnceMax: number;
  readonly start: (flavour: Flavour, manner: "warm" | "bare", signal: AbortSignal) => Promise<Process>;
}

interface Taker<Process> {
  readonly resolve: (process: Process) => void;
  readonly reject: (reason: unknown) => void;
}

/** The processes of one flavour. */
interface Shelf<Process> {
  readonly flavour: Flavour;
  readonly rate: StartRate;
  /** Functions that may be called for the first time. */
  readonly expected: StartRate;
  readonly ready: Process[];
  readonly waiting: LinkedQueue<Taker<Process>>;
  starting: number;
  failures: number;
  /** After failures none is started ahead before. */
  notBeforeMs: number;
}

const reviewMs = 10_000;
/** So long after the last of those that got a process had its first work done, which its first call follows. */
const refillDelayMs = 10;
/** Nobody waits longer for them. */
const refillDelayMsMax = 100;
const failureDelayMsBase = 1000;
const failureDelayMsMax = 60_000;

/**
 * Processes that wait for a function, each for one. Whoever finds none waits for the next that gets ready, and one is
 * started for him plainly. How many wait follows how many are taken (`poolTargets`).
 */
export class PreStartedPool<Process extends Waiter> implements AsyncDisposable {
  readonly #deps: PoolDeps<Process>;
  readonly #shelves = new Map<string, Shelf<Process>>();
  readonly #running = new Set<Promise<void>>();
  /** Given away, with their first work to do. */
  readonly #becoming = new Set<Process>();
  readonly #found = { ready: 0, "all-taken": 0, "first-of-kind": 0, "none-kept": 0 };
  readonly #closing = new AbortController();
  readonly #review: Timer;
  #refill: Timer | undefined;
  #refillByMs: number | undefined;
  #current: Shelf<Process>;

  /** Begins with the processes that wait when nothing happens, of the usual flavour. */
  constructor(deps: PoolDeps<Process>, usual: Flavour) {
    this.#deps = deps;
    this.#current = this.#shelfOf(usual);
    this.#review = deps.clock.every(reviewMs, () => this.#adjust());
    this.#adjust();
  }

  /** The process is the caller's from then on, who says when it is `settled`. An abort rejects with the signal's reason. */
  async take(flavour: Flavour, signal: AbortSignal): Promise<Process> {
    signal.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    const isFirst = !this.#shelves.has(flavourKey(flavour));
    const shelf = this.#shelfOf(flavour);
    shelf.rate.note(this.#deps.clock.monotonicMs());
    if (flavour.program === "node") this.#current = shelf;
    for (let process = shelf.ready.shift(); process !== undefined; process = shelf.ready.shift()) {
      if (!process.isUsable) continue;
      this.#found.ready++;
      this.#becoming.add(process);
      this.#adjustSoon();
      return process;
    }
    this.#found[this.#deps.sizes.processesMax === 0 ? "none-kept" : isFirst ? "first-of-kind" : "all-taken"]++;
    const waited = wait(shelf.waiting, signal);
    this.#adjust();
    return await waited;
  }

  /** A process that was taken has done its first work, or never will. */
  settled(process: Process): void {
    if (!this.#becoming.delete(process) || this.#refill === undefined) return;
    this.#adjustSoon();
    this.#adjust();
  }

  /** A function of this flavour is likely to be called for the first time soon. */
  expect(flavour: Flavour): void {
    if (this.#closing.signal.aborted) return;
    const shelf = this.#shelfOf(flavour);
    const nowMs = this.#deps.clock.monotonicMs();
    if (flavour.program === "node") this.#current = shelf;
    shelf.expected.note(nowMs);
    this.#adjustSoon();
  }

  /** What those who took one found. */
  get found(): StartFigures["found"] {
    return { ...this.#found };
  }

  /** How many wait ready now. */
  get readyCount(): number {
    return [...this.#shelves.values()].reduce((sum, { ready }) => sum + ready.length, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error("the runtime is closing"));
    this.#review.cancel();
    this.#refill?.cancel();
    await Promise.all(this.#running);
    const shelves = [...this.#shelves.values()];
    for (const { waiting } of shelves)
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        next.reject(this.#closing.signal.reason);
    await Promise.all(shelves.flatMap(({ ready }) => ready.splice(0).map((process) => process.destroy())));
  }

  /** When those that just got a process are done with their first work, or have had time enough. */
  #adjustSoon(): void {
    const { clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    this.#refillByMs ??= nowMs + refillDelayMsMax;
    const leftMs = Math.max(0, this.#refillByMs - nowMs);
    this.#refill?.cancel();
    this.#refill = clock.schedule(this.#becoming.size === 0 ? Math.min(refillDelayMs, leftMs) : leftMs, () => {
      this.#refill = undefined;
      this.#refillByMs = undefined;
      this.#adjust();
    });
  }

  /** Spawning would take the processor from those that have their first work to do. */
  get #startsMax(): number {
    const busy = this.#refill === undefined ? 0 : this.#becoming.size;
    return this.#deps.startsAtOnceMax - busy;
  }

  #shelfOf(flavour: Flavour): Shelf<Process> {
    const key = flavourKey(flavour);
    const rest = {
      rate: new StartRate(),
      expected: new StartRate(),
      ready: [],
      starting: 0,
      failures: 0,
      notBeforeMs: 0,
    };
    const shelf = this.#shelves.get(key) ?? { flavour, waiting: new LinkedQueue<Taker<Process>>(), ...rest };
    this.#shelves.set(key, shelf);
    return shelf;
  }

  /** Starts what lacks, or until the refill is due only for those who wait, and ends what is too much. */
  #adjust(): void {
    if (this.#closing.signal.aborted) return;
    const shelves = [...this.#shelves.values()];
    const targets = this.#targets(shelves);
    const surplus = shelves.flatMap(({ ready }, index) => ready.splice(targets[index] ?? 0));
    for (const process of surplus) process.destroyUnasked();
    while (this.#running.size < this.#startsMax) {
      const next = this.#nextStart(shelves, targets);
      if (next === undefined) return;
      this.#start(next.shelf, next.manner);
    }
  }

  #targets(shelves: readonly Shelf<Process>[]): readonly number[] {
    const nowMs = this.#deps.clock.monotonicMs();
    const uses = shelves.map((shelf) => {
      const { rate } = shelf;
      const expected = shelf.expected.read(nowMs).starts;
      return { ...rate.read(nowMs), expected, lastAtMs: rate.lastAtMs, isCurrent: shelf === this.#current };
    });
    return poolTargets(uses, this.#deps.sizes);
  }

  /** Whoever waits comes before whoever may come. */
  #nextStart(
    shelves: readonly Shelf<Process>[],
    targets: readonly number[],
  ): { readonly shelf: Shelf<Process>; readonly manner: "warm" | "bare" } | undefined {
    const waited = shelves.find(({ waiting, starting }) => waiting.size > starting);
    if (waited !== undefined) return { shelf: waited, manner: "bare" };
    if (this.#refill !== undefined) return undefined;
    const nowMs = this.#deps.clock.monotonicMs();
    const lacking = shelves.find(({ waiting, ready, starting, notBeforeMs }, index) => {
      const coming = ready.length + starting - waiting.size;
      return coming < (targets[index] ?? 0) && nowMs >= notBeforeMs;
    });
    return lacking === undefined ? undefined : { shelf: lacking, manner: "warm" };
  }

  #start(shelf: Shelf<Process>, manner: "warm" | "bare"): void {
    shelf.starting++;
    const run = this.#deps
      .start(shelf.flavour, manner, this.#closing.signal)
      .then(
        (process) => this.#offer(shelf, process),
        (error: unknown) => this.#fail(shelf, error),
      )
      .finally(() => {
        shelf.starting--;
        this.#running.delete(run);
        this.#adjust();
      });
    this.#running.add(run);
  }

  #offer(shelf: Shelf<Process>, process: Process): void {
    shelf.failures = 0;
    const waiting = shelf.waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve(process);
      return;
    }
    shelf.ready.push(process);
    void process.ended.then(() => this.#forget(shelf, process));
  }

  /** One that ended while it waited is replaced. */
  #forget(shelf: Shelf<Process>, process: Process): void {
    const at = shelf.ready.indexOf(process);
    if (at < 0) return;
    shelf.ready.splice(at, 1);
    this.#adjust();
  }

  /** Whoever waits learns it; nobody else asks for it, so the next attempt waits longer each time. */
  #fail(shelf: Shelf<Process>, error: unknown): void {
    if (this.#closing.signal.aborted) return;
    const { clock, logger } = this.#deps;
    const delayMs = Math.min(failureDelayMsMax, failureDelayMsBase * 2 ** shelf.failures++);
    shelf.notBeforeMs = clock.monotonicMs() + delayMs;
    clock.schedule(delayMs, () => this.#adjust());
    const waiting = shelf.waiting.shift();
    if (waiting !== undefined) waiting.reject(error);
    else logger.warn("a process could not be started ahead", { ...shelf.flavour, error });
  }
}

function wait<Process>(queue: LinkedQueue<Taker<Process>>, signal: AbortSignal): Promise<Process> {
  const { promise, resolve, reject } = Promise.withResolvers<Process>();
  const entry = queue.push({ resolve, reject });
  const onAbort = () => {
    if (queue.remove(entry)) reject(signal.reason);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  return promise.finally(() => signal.removeEventListener("abort", onAbort));
}
