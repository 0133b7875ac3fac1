import { limits } from "@chaya/contract";
import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import type { Logger } from "../kernel/logger.ts";
import { removeOldDeadLetters, removeSurplusDeadLetters } from "./records/dead-letter-rows.ts";
import { leaseExpired } from "./records/lease-rows.ts";
import type { LeasedWork } from "./records/work-rows.ts";
import { settle } from "./settle.ts";
import { tooOld } from "./settlement.ts";
import type { WorkKind } from "./work.ts";

export interface SweeperDeps {
  readonly store: Store<MainTables>;
  readonly clock: Clock;
  readonly ids: NewId;
  readonly logger: Logger;
  readonly leaseMs: number;
  readonly sweepMs: number;
  readonly deadLettersMax: number;
  readonly kinds: () => readonly WorkKind[];
  readonly onDied: (item: LeasedWork) => void;
}

const expiredPerBatch = 100;
const deadLettersPerBatch = 1_000;
/** Counting a million dead letters takes tens of milliseconds: not at every sweep. */
const sweepsPerSurplusCount = 120;

/** Ends what grew too old: waiting work becomes dead letters, dead letters go. Every node sweeps; each write is guarded. */
export class Sweeper {
  readonly #deps: SweeperDeps;
  #timer: Timer | undefined;
  #sweeping: Promise<void> | undefined;
  #sweeps = 0;

  constructor(deps: SweeperDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#timer = this.#deps.clock.every(this.#deps.sweepMs, () => {
      this.#sweeping ??= this.#sweep().finally(() => {
        this.#sweeping = undefined;
      });
    });
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#sweeping;
  }

  async #sweep(): Promise<void> {
    try {
      await this.#buryExpired();
      await this.#trimDeadLetters();
    } catch (error) {
      this.#deps.logger.warn("work could not be swept; the next sweep tries again", { error });
    }
  }

  async #buryExpired(): Promise<void> {
    const { store, ids, leaseMs } = this.#deps;
    const kinds = new Map(this.#deps.kinds().map((kind) => [kind.name, kind]));
    if (kinds.size === 0) return;
    while (this.#timer !== undefined) {
      const options = { kinds: [...kinds.keys()], countMax: expiredPerBatch };
      const expired = await leaseExpired(store, options, { token: ids(), leaseMs });
      await Promise.all(expired.map((item) => this.#bury(item, kinds.get(item.work.kind))));
      if (expired.length < expiredPerBatch) return;
    }
  }

  async #bury(item: LeasedWork, kind: WorkKind | undefined): Promise<void> {
    if (kind === undefined) return;
    const { work, token, expiresAtMs } = item;
    const problem = tooOld(expiresAtMs - work.acceptedAtMs);
    const settled = await settle(this.#deps, { kind, work, held: { id: work.id, token } }, { kind: "dead", problem });
    if (settled.kind === "gone") this.#deps.onDied(item);
  }

  async #trimDeadLetters(): Promise<void> {
    const { store, logger, deadLettersMax } = this.#deps;
    const old = { ageMsMax: limits.deadLetterAgeMsMax, countMax: deadLettersPerBatch };
    await this.#inBatches(() => removeOldDeadLetters(store, old));
    if (this.#sweeps++ % sweepsPerSurplusCount !== 0) return;
    const surplus = { keptMax: deadLettersMax, countMax: deadLettersPerBatch };
    const removed = await this.#inBatches(() => removeSurplusDeadLetters(store, surplus));
    if (removed > 0) logger.warn("the oldest dead letters were removed: there are too many", { removed });
  }

  async #inBatches(remove: () => Promise<number>): Promise<number> {
    let removed = 0;
    while (this.#timer !== undefined) {
      const count = await remove();
      removed += count;
      if (count < deadLettersPerBatch) break;
    }
    return removed;
  }
}
