import type { Clock, Timer } from "../kernel/clock.ts";
import { sleepWith, timeoutWith } from "../kernel/clock.ts";

interface Due {
  atMs: number;
  readonly order: number;
  readonly task: () => void;
  readonly everyMs: number | undefined;
}

/** A clock that stands still until `advance` moves it. */
export class ManualClock implements Clock {
  /** What timers and durations go by. */
  #monotonicMs = 0;
  /** Of the wall clock. */
  #offsetMs: number;
  #order = 0;
  readonly #due = new Set<Due>();

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#offsetMs = startMs;
  }

  nowMs(): number {
    return this.#offsetMs + this.#monotonicMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  schedule(delayMs: number, task: () => void): Timer {
    return this.#add(delayMs, task, undefined);
  }

  every(intervalMs: number, task: () => void): Timer {
    return this.#add(intervalMs, task, intervalMs);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepWith((ms, task) => this.schedule(ms, task), delayMs, signal);
  }

  timeout(delayMs: number): AbortSignal {
    return timeoutWith((ms, task) => this.schedule(ms, task), delayMs);
  }

  /** Moves the time, running what becomes due in order; lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    for (;;) {
      const next = this.#earliest();
      if (next === undefined || next.atMs > endMs) break;
      this.#monotonicMs = Math.max(this.#monotonicMs, next.atMs);
      if (next.everyMs === undefined) this.#due.delete(next);
      else next.atMs += next.everyMs;
      next.task();
      await settle();
    }
    this.#monotonicMs = endMs;
    await settle();
  }

  /** Moves the wall clock alone, as a step of NTP would: timers and durations do not notice. */
  jump(ms: number): void {
    this.#offsetMs += ms;
  }

  #earliest(): Due | undefined {
    let earliest: Due | undefined;
    for (const due of this.#due) {
      if (
        earliest === undefined ||
        due.atMs < earliest.atMs ||
        (due.atMs === earliest.atMs && due.order < earliest.order)
      )
        earliest = due;
    }
    return earliest;
  }

  #add(delayMs: number, task: () => void, everyMs: number | undefined): Timer {
    const due: Due = { atMs: this.#monotonicMs + Math.max(0, delayMs), order: this.#order++, task, everyMs };
    this.#due.add(due);
    return { cancel: () => this.#due.delete(due) };
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
