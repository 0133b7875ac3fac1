import { assert } from "../kernel/assert.ts";
import { LinkedQueue, type QueueEntry } from "../kernel/linked-queue.ts";

/**
 * What this node knows about a lane:
 * - idle: nothing is known to be due;
 * - ready: something may be due, one of the next rounds looks at it;
 * - blocked: something is due, but the lane could start nothing when it was looked at. Waits for capacity.
 * Only in memory: after a crash the lanes are found again by looking at what is due.
 */
export interface Lane {
  readonly kind: string;
  readonly name: string;
  state: "idle" | "ready" | "blocked";
  /** Items that are being leased for it and whose handler was not called yet: `admit` does not know of them. */
  starting: number;
  /** When it became ready, in the order of all lanes: who has waited longest is next. */
  turn: number;
  /** Something became due while it was being claimed, so that claim may have missed it. */
  isRenewed: boolean;
  entry: QueueEntry<Lane> | undefined;
}

/** Beyond it lanes are not remembered; they are found again when others have left. */
const lanesKnownMax = 100_000;

/** The lanes this node knows to be busy, ready ones in the order of their turns. */
export class Lanes {
  readonly #kinds = new Map<string, { readonly known: Map<string, Lane>; readonly ready: LinkedQueue<Lane> }>();
  #knownCount = 0;
  #readyCount = 0;
  #turns = 0;

  register(kind: string): void {
    this.#kinds.set(kind, { known: new Map(), ready: new LinkedQueue() });
  }

  /** A lane waits for its turn or for a place. */
  get hasReady(): boolean {
    return this.#readyCount > 0;
  }

  /** The lane; it is remembered until `forget`. */
  open(kind: string, name: string): Lane {
    const known = this.#of(kind).known;
    let lane = known.get(name);
    if (lane === undefined) {
      lane = { kind, name, state: "idle", starting: 0, turn: 0, isRenewed: false, entry: undefined };
      known.set(name, lane);
      this.#knownCount++;
    }
    return lane;
  }

  /** Something of the lane may be due. A blocked lane stays blocked: only capacity helps it. */
  markDue(kind: string, name: string): void {
    if (this.#knownCount >= lanesKnownMax && !this.#of(kind).known.has(name)) return;
    const lane = this.open(kind, name);
    lane.isRenewed = true;
    if (lane.state === "idle") this.#makeReady(lane);
  }

  /** A blocked lane may be able to start something; false when it was not blocked. Hot path. */
  wake(kind: string, name: string): boolean {
    const lane = this.#kinds.get(kind)?.known.get(name);
    if (lane?.state !== "blocked") return false;
    this.#makeReady(lane);
    return true;
  }

  wakeAll(): void {
    for (const { known } of this.#kinds.values()) {
      for (const lane of known.values()) {
        if (lane.state === "blocked") this.#makeReady(lane);
      }
    }
  }

  /** Up to `countMax` ready lanes of each kind, in the order of their turns. */
  front(countMax: number): readonly Lane[] {
    const front = [...this.#kinds.values()].flatMap(({ ready }) => Iterator.from(ready).take(countMax).toArray());
    return front.sort((a, b) => a.turn - b.turn);
  }

  block(lane: Lane): void {
    this.#leaveReady(lane);
    lane.state = "blocked";
  }

  /** The lane had its turn: it goes to the end of the line. */
  beginTurn(lane: Lane): void {
    lane.isRenewed = false;
    this.#leaveReady(lane);
    this.#makeReady(lane);
  }

  /** The turn found less than it asked for: nothing more is due, unless something came meanwhile. */
  endOfDue(lane: Lane): void {
    if (lane.isRenewed) return;
    this.#leaveReady(lane);
    lane.state = "idle";
  }

  /** Forgets a lane when nothing is known of it any more. */
  forget(lane: Lane): void {
    if (lane.state !== "idle" || lane.starting > 0) return;
    if (this.#of(lane.kind).known.delete(lane.name)) this.#knownCount--;
  }

  #of(kind: string) {
    const found = this.#kinds.get(kind);
    assert(found !== undefined, `the kind of work '${kind}' must be registered`);
    return found;
  }

  #makeReady(lane: Lane): void {
    lane.state = "ready";
    lane.turn = ++this.#turns;
    lane.entry = this.#of(lane.kind).ready.push(lane);
    this.#readyCount++;
  }

  #leaveReady(lane: Lane): void {
    if (lane.entry === undefined) return;
    this.#of(lane.kind).ready.remove(lane.entry);
    lane.entry = undefined;
    this.#readyCount--;
  }
}
