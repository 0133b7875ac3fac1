import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import { assert } from "../kernel/assert.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import type { Logger } from "../kernel/logger.ts";
import { type Lane, Lanes } from "./lanes.ts";
import type { Places } from "./places.ts";
import { leaseDue, releaseLeases } from "./records/lease-rows.ts";
import type { LeasedWork } from "./records/work-rows.ts";
import { shareTurns, type Turn } from "./turns.ts";
import type { WorkKind } from "./work.ts";

export interface DispatcherDeps {
  readonly store: Store<MainTables>;
  readonly clock: Clock;
  readonly ids: NewId;
  readonly logger: Logger;
  readonly places: Places;
  readonly leaseMs: number;
  /** How often blocked lanes are tried although nobody said that they can start more. */
  readonly safetyPollMs: number;
  /** Calls the handler before it returns. `monotonicMs` was read before the lease was asked for. */
  readonly run: (kind: WorkKind, item: LeasedWork, monotonicMs: number) => void;
}

const lanesPerRound = 16;
const itemsPerTurnMax = 64;

/**
 * Claims due work, lane by lane in turns: one round at a time, again while that made progress. Sleeps until it is woken
 * because a lane became ready, a place free, or a lane able to start more.
 */
export class Dispatcher {
  readonly lanes = new Lanes();
  readonly #deps: DispatcherDeps;
  readonly #kinds = new Map<string, WorkKind>();
  #state: "new" | "claiming" | "stopped" = "new";
  #isWoken = false;
  #isStoreFailing = false;
  /** In the last round a lane could have started more than there were places for: newcomers must not overtake it. */
  #isShortOfPlaces = false;
  #loop: Promise<void> | undefined;
  #poll: Timer | undefined;

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
  }

  register(kind: WorkKind): void {
    assert(this.#state === "new", "kinds of work are registered before the start");
    this.#deps.places.reserve(kind.name, kind.placesReserved);
    this.lanes.register(kind.name);
    this.#kinds.set(kind.name, kind);
  }

  get kinds(): readonly WorkKind[] {
    return [...this.#kinds.values()];
  }

  get isClaiming(): boolean {
    return this.#state === "claiming";
  }

  start(): void {
    assert(this.#state === "new", "a dispatcher starts once");
    this.#state = "claiming";
    this.#poll = this.#deps.clock.every(this.#deps.safetyPollMs, () => {
      this.lanes.wakeAll();
      this.wake();
    });
  }

  /** Claims no more. Resolves when what was being claimed has been let go. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    this.#poll?.cancel();
    await this.#loop;
  }

  /** A lane became ready or a place free. */
  wake(): void {
    this.#isWoken = true;
    if (this.#state !== "claiming" || this.#loop !== undefined) return;
    this.#loop = this.#turnRounds();
  }

  /** Something of the lane is due. What no kind of this node runs, other nodes claim. */
  markDue(kind: string, lane: string): void {
    if (!this.#kinds.has(kind)) return;
    this.lanes.markDue(kind, lane);
    this.wake();
  }

  /** Takes a place for a newcomer that may run at once; undefined when it has to wait for its turn. */
  admitNow(kindName: string, laneName: string): Lane | undefined {
    const kind = this.#kinds.get(kindName);
    if (kind === undefined || this.#state !== "claiming" || this.#isShortOfPlaces) return undefined;
    const lane = this.lanes.open(kindName, laneName);
    if (lane.state === "idle" && kind.admit(laneName) > lane.starting && this.#deps.places.take(kindName)) {
      lane.starting++;
      return lane;
    }
    this.lanes.forget(lane);
    return undefined;
  }

  /** Gives back what `admitNow` took, when the newcomer was not stored. */
  withdraw(lane: Lane): void {
    this.#giveBack(lane, 1);
  }

  /** Runs an item of a lane that has been counted as starting. */
  begin(lane: Lane, item: LeasedWork, monotonicMs: number): void {
    const kind = this.#kinds.get(lane.kind);
    assert(kind !== undefined, "only registered kinds are claimed");
    this.#deps.run(kind, item, monotonicMs);
    lane.starting--;
    this.lanes.forget(lane);
  }

  async #turnRounds(): Promise<void> {
    try {
      // Lanes that become ready in the same step share the first round: none takes all places before the others come.
      await undefined;
      while (this.#isWoken && this.#state === "claiming") {
        this.#isWoken = false;
        if (await this.#claimRound()) this.#isWoken = true;
        this.#isStoreFailing = false;
      }
    } catch (error) {
      // The lanes stay ready and the safety poll wakes; one line a failure, not one a try.
      if (!this.#isStoreFailing) this.#deps.logger.error("due work could not be claimed", { error });
      this.#isStoreFailing = true;
    } finally {
      // In the same step as the last look at `#isWoken`: whoever wakes later begins another loop.
      this.#loop = undefined;
    }
  }

  /** Gives some lanes their turns; false when no lane got one. */
  async #claimRound(): Promise<boolean> {
    const front = this.lanes.front(lanesPerRound);
    const candidates = front.map((lane) => ({ lane, kind: lane.kind, startableMax: this.#startable(lane) }));
    for (const { lane, startableMax } of candidates) if (startableMax === 0) this.lanes.block(lane);
    this.#isShortOfPlaces = false;
    const turns = shareTurns(candidates, (kind) => {
      const isTaken = this.#deps.places.take(kind);
      if (!isTaken) this.#isShortOfPlaces = true;
      return isTaken;
    });
    if (turns.length === 0) return this.lanes.hasReady && candidates.some((one) => one.startableMax === 0);
    await this.#claim(turns);
    return true;
  }

  #startable(lane: Lane): number {
    const admitted = this.#kinds.get(lane.kind)?.admit(lane.name) ?? 0;
    return Math.max(0, Math.min(admitted - lane.starting, itemsPerTurnMax));
  }

  async #claim(turns: readonly Turn<Lane>[]): Promise<void> {
    const { store, clock, ids, leaseMs } = this.#deps;
    const unused = new Map(turns.map(({ lane, countMax }) => [lane, countMax]));
    for (const { lane, countMax } of turns) {
      lane.starting += countMax;
      this.lanes.beginTurn(lane);
    }
    try {
      const claims = turns.map(({ lane, countMax }) => ({ kind: lane.kind, lane: lane.name, countMax }));
      const monotonicMs = clock.monotonicMs();
      const items = await leaseDue(store, claims, { token: ids(), leaseMs });
      if (this.#state === "stopped") return await releaseLeases(store, items.map(heldBy));
      for (const item of items) {
        const lane = this.lanes.open(item.work.kind, item.work.lane);
        unused.set(lane, (unused.get(lane) ?? 0) - 1);
        this.begin(lane, item, monotonicMs);
      }
      for (const [lane, count] of unused) if (count > 0) this.lanes.endOfDue(lane);
    } finally {
      for (const [lane, count] of unused) this.#giveBack(lane, count);
    }
  }

  #giveBack(lane: Lane, count: number): void {
    for (let given = 0; given < count; given++) this.#deps.places.give(lane.kind);
    lane.starting -= count;
    this.lanes.forget(lane);
  }
}

function heldBy(item: LeasedWork) {
  return { id: item.work.id, token: item.token };
}
