import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Clock } from "../kernel/clock.ts";
import { countDeadLetters } from "./records/dead-letter-rows.ts";
import { countKind, countLane, countLeased, oldestDueMs } from "./records/due-rows.ts";
import { RowCounts } from "./row-counts.ts";
import type { KindFigures } from "./work.ts";

/** How much work there is: in a lane, asked before each addition, and of a kind, for those who look on. */
export class WorkCounts {
  readonly #store: Store<MainTables>;
  readonly #lanes: RowCounts;
  /** Apart, so that many lanes do not drive them out. */
  readonly #kinds: RowCounts;

  constructor(store: Store<MainTables>, clock: Clock) {
    this.#store = store;
    this.#lanes = new RowCounts(clock);
    this.#kinds = new RowCounts(clock);
  }

  lane(kind: string, lane: string): Promise<number> {
    return this.#lanes.count(laneKey(kind, lane), () => countLane(this.#store, kind, lane));
  }

  /** Of all nodes. Leased rows are few and the oldest is the first of an index; what may be many is counted now and then. */
  async kind(kind: string): Promise<Omit<KindFigures, "running">> {
    const store = this.#store;
    const [rows, leased, oldest, deadLetters] = await Promise.all([
      this.#kinds.count(itemsKey(kind), () => countKind(store, kind)),
      countLeased(store, kind),
      oldestDueMs(store, kind),
      this.#kinds.count(`dead\n${kind}`, () => countDeadLetters(store, kind)),
    ]);
    return { kind, waiting: Math.max(0, rows - leased), oldestDueMs: oldest, deadLetters };
  }

  /** An item came or went on this node. */
  changed(kind: string, lane: string, by: 1 | -1): void {
    this.#lanes.changed(laneKey(kind, lane), by);
    this.#kinds.changed(itemsKey(kind), by);
  }
}

function laneKey(kind: string, lane: string): string {
  return `${kind}\n${lane}`;
}

function itemsKey(kind: string): string {
  return `items\n${kind}`;
}
