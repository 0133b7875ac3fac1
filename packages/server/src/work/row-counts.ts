import type { Clock } from "../kernel/clock.ts";

interface Counted {
  count: number;
  readonly countedAtMs: number;
}

const keptMax = 10_000;
const recountMsMin = 1_000;
/** Counting costs time in proportion to the rows, so many are counted less often. */
const recountMsPerRow = 0.1;

/** How many rows there are of something, counted now and then and kept up with this node's own changes between. */
export class RowCounts {
  readonly #counted = new Map<string, Counted>();
  readonly #counting = new Map<string, Promise<number>>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whoever asks while `countRows` is under way for the same key shares it, and its failure. */
  async count(key: string, countRows: () => Promise<number>): Promise<number> {
    const known = this.#counted.get(key);
    if (known !== undefined && this.#clock.monotonicMs() < known.countedAtMs + recountMs(known.count))
      return known.count;
    let counting = this.#counting.get(key);
    if (counting === undefined) {
      counting = this.#count(key, countRows).finally(() => this.#counting.delete(key));
      this.#counting.set(key, counting);
    }
    return counting;
  }

  changed(key: string, by: 1 | -1): void {
    const known = this.#counted.get(key);
    if (known !== undefined) known.count = Math.max(0, known.count + by);
  }

  async #count(key: string, countRows: () => Promise<number>): Promise<number> {
    const count = await countRows();
    this.#keep(key, { count, countedAtMs: this.#clock.monotonicMs() });
    return count;
  }

  #keep(key: string, counted: Counted): void {
    this.#counted.delete(key);
    this.#counted.set(key, counted);
    if (this.#counted.size <= keptMax) return;
    for (const oldest of this.#counted.keys()) {
      this.#counted.delete(oldest);
      return;
    }
  }
}

function recountMs(count: number): number {
  return Math.max(recountMsMin, count * recountMsPerRow);
}
