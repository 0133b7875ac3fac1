import type { Clock } from "../kernel/clock.ts";

interface Counted {
  count: number;
  readonly countedAtMs: number;
}

const lanesKeptMax = 10_000;
const recountMsMin = 1_000;
/** Counting costs time in proportion to the rows, so large lanes are counted less often. */
const recountMsPerItem = 0.1;

/** How much waits in the lanes that were asked for: counted now and then, kept up with this node's own changes between. */
export class LaneCounts {
  readonly #counted = new Map<string, Counted>();
  readonly #clock: Clock;
  readonly #countRows: (kind: string, lane: string) => Promise<number>;

  constructor(clock: Clock, countRows: (kind: string, lane: string) => Promise<number>) {
    this.#clock = clock;
    this.#countRows = countRows;
  }

  async count(kind: string, lane: string): Promise<number> {
    const known = this.#counted.get(key(kind, lane));
    if (known !== undefined && this.#clock.monotonicMs() < known.countedAtMs + recountMs(known.count))
      return known.count;
    const count = await this.#countRows(kind, lane);
    this.#keep(key(kind, lane), { count, countedAtMs: this.#clock.monotonicMs() });
    return count;
  }

  changed(kind: string, lane: string, by: 1 | -1): void {
    const known = this.#counted.get(key(kind, lane));
    if (known !== undefined) known.count = Math.max(0, known.count + by);
  }

  #keep(laneKey: string, counted: Counted): void {
    this.#counted.delete(laneKey);
    this.#counted.set(laneKey, counted);
    if (this.#counted.size <= lanesKeptMax) return;
    for (const oldest of this.#counted.keys()) {
      this.#counted.delete(oldest);
      return;
    }
  }
}

function recountMs(count: number): number {
  return Math.max(recountMsMin, count * recountMsPerItem);
}

function key(kind: string, lane: string): string {
  return `${kind}\n${lane}`;
}
