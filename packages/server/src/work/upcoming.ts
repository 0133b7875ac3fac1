import type { Clock, Timer } from "../kernel/clock.ts";

/** Timers of Node fire up to a millisecond early, and a claim that comes early finds nothing. */
const marginMs = 1;
const timersMax = 10_000;

/** The lanes in which something becomes due soon, each with a timer for the exact time. */
export class Upcoming {
  readonly #clock: Clock;
  readonly #onDue: (kind: string, lane: string) => void;
  readonly #timers = new Map<string, Timer>();

  constructor(clock: Clock, onDue: (kind: string, lane: string) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** False when there are too many to remember another. */
  expect(kind: string, lane: string, inMs: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    // Times within a millisecond share a timer.
    const atMs = Math.ceil(nowMs + inMs) + marginMs;
    const key = `${atMs}\n${kind}\n${lane}`;
    if (this.#timers.has(key)) return true;
    if (this.#timers.size >= timersMax) return false;
    const timer = this.#clock.schedule(atMs - nowMs, () => {
      this.#timers.delete(key);
      this.#onDue(kind, lane);
    });
    this.#timers.set(key, timer);
    return true;
  }

  clear(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}
