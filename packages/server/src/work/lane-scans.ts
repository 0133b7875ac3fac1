import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Clock } from "../kernel/clock.ts";
import { scanLanes } from "./records/due-rows.ts";

const lanesPerPage = 256;
/** A scan rests this many times as long as it took, so that scanning never takes more than a tenth of the time. */
const restShare = 9;

interface Scan {
  afterLane: string;
  readonly startedMs: number;
}

/** Goes through all lanes of a kind page by page, when a flood in some of them hides what is due in others. */
export class LaneScans {
  readonly #store: Store<MainTables>;
  readonly #clock: Clock;
  readonly #scans = new Map<string, Scan>();
  readonly #restUntilMs = new Map<string, number>();

  constructor(store: Store<MainTables>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Begins a scan, unless one is under way. Returns how long the last one still rests: then nothing was begun. */
  begin(kind: string): number {
    const nowMs = this.#clock.monotonicMs();
    const restMs = (this.#restUntilMs.get(kind) ?? 0) - nowMs;
    if (restMs > 0) return Math.ceil(restMs);
    if (!this.#scans.has(kind)) this.#scans.set(kind, { afterLane: "", startedMs: nowMs });
    return 0;
  }

  /** Reads one page of each scan; false when none is left. */
  async next(onDue: (kind: string, lane: string) => void): Promise<boolean> {
    for (const [kind, scan] of this.#scans) {
      const page = await scanLanes(this.#store, kind, { afterLane: scan.afterLane, lanesMax: lanesPerPage });
      for (const lane of page.lanes) onDue(kind, lane);
      if (page.lastLane === undefined) this.#finish(kind, scan);
      else scan.afterLane = page.lastLane;
    }
    return this.#scans.size > 0;
  }

  #finish(kind: string, scan: Scan): void {
    this.#scans.delete(kind);
    const nowMs = this.#clock.monotonicMs();
    this.#restUntilMs.set(kind, nowMs + restShare * (nowMs - scan.startedMs));
  }
}
