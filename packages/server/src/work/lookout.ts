import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import { LaneScans } from "./lane-scans.ts";
import { readDue } from "./records/due-rows.ts";
import { Upcoming } from "./upcoming.ts";

export interface LookoutDeps {
  readonly store: Store<MainTables>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly kinds: () => readonly string[];
  /** How often the store is looked at although nothing asked for it. */
  readonly safetyPollMs: number;
  /** Something of the lane is due, as far as the store says. */
  readonly onDue: (kind: string, lane: string) => void;
}

/** Rows looked at per kind; when all of them are due, more lanes may be behind them, and the lanes are scanned. */
const rowsPerLook = 128;

/**
 * Finds the lanes with due work. Looks at the store when it starts, when another node hints, and at every safety poll;
 * what becomes due until the next poll gets a timer for its exact time. One look at a time.
 */
export class Lookout {
  readonly #deps: LookoutDeps;
  readonly #scans: LaneScans;
  readonly #upcoming: Upcoming;
  #poll: Timer | undefined;
  #again: Timer | undefined;
  #isWanted = false;
  #isStoreFailing = false;
  #isStopped = false;
  #looking: Promise<void> | undefined;

  constructor(deps: LookoutDeps) {
    this.#deps = deps;
    this.#scans = new LaneScans(deps.store, deps.clock);
    this.#upcoming = new Upcoming(deps.clock, deps.onDue);
  }

  start(): void {
    this.#poll = this.#deps.clock.every(this.#deps.safetyPollMs, () => this.look());
    this.look();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#poll?.cancel();
    this.#again?.cancel();
    this.#upcoming.clear();
    await this.#looking;
  }

  /** Something may have changed in the store. */
  look(): void {
    this.#isWanted = true;
    if (!this.#isStopped) this.#looking ??= this.#lookWhileWanted();
  }

  /** An item of the lane becomes due; what is far away is found by a later look. */
  expect(kind: string, lane: string, inMs: number): void {
    if (this.#isStopped || inMs > this.#windowMs) return;
    if (!this.#upcoming.expect(kind, lane, inMs)) this.#lookIn(inMs);
  }

  /** Longer than until the next poll, which may come late. */
  get #windowMs(): number {
    return this.#deps.safetyPollMs * 1.5;
  }

  async #lookWhileWanted(): Promise<void> {
    try {
      for (let isScanning = false; (this.#isWanted || isScanning) && !this.#isStopped; ) {
        if (this.#isWanted) {
          this.#isWanted = false;
          for (const kind of this.#deps.kinds()) await this.#lookAt(kind);
        }
        isScanning = await this.#scans.next(this.#deps.onDue);
      }
      this.#isStoreFailing = false;
    } catch (error) {
      // The safety poll looks again; one line a failure, not one a look.
      if (!this.#isStoreFailing) this.#deps.logger.error("due work could not be looked for", { error });
      this.#isStoreFailing = true;
    } finally {
      // In the same step as the last look at `#isWanted`: whoever asks later begins another look.
      this.#looking = undefined;
    }
  }

  async #lookAt(kind: string): Promise<void> {
    const { store, onDue } = this.#deps;
    const found = await readDue(store, kind, { rowsMax: rowsPerLook, windowMs: this.#windowMs });
    for (const lane of found.dueLanes) onDue(kind, lane);
    for (const { lane, inMs } of found.upcoming) this.expect(kind, lane, inMs);
    if (found.isUpcomingCut) this.#lookIn(found.upcoming.at(-1)?.inMs ?? 0);
    if (!found.isDueCut) return;
    const restMs = this.#scans.begin(kind);
    if (restMs > 0) this.#lookIn(restMs);
  }

  #lookIn(inMs: number): void {
    // One is enough: that look finds out when the next is needed.
    this.#again ??= this.#deps.clock.schedule(inMs, () => {
      this.#again = undefined;
      this.look();
    });
  }
}
