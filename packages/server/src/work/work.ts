import type { Statement } from "../drivers/store/driver.ts";
import type { CallProblem } from "../seams.ts";

/**
 * Everything that happens later is a row of `work` that becomes due. States: waiting (due_at in the future or now) →
 * leased (somebody runs it) → gone (done), waiting again (retry), or a dead letter. After a crash a lease runs out and
 * the row is claimed again: handlers may run twice and are told the attempt.
 */
export interface WorkQueue extends AsyncDisposable {
  /** Registers what runs a kind; before `start`. */
  register(kind: WorkKind): void;
  /** Begins claiming. */
  start(): Promise<void>;
  /** Statements that add work inside the caller's own `apply` or transaction. Call `added` after it committed. */
  adding(item: NewWork): readonly Statement[];
  /** Wakes the claimers, on this node at once and on others by a hint. */
  added(items: readonly Pick<NewWork, "kind" | "lane" | "dueAtMs">[]): void;
  /** Adds and acknowledges: durable when it resolves. When this node can run it now, it is claimed with the same write. */
  add(item: NewWork): Promise<void>;
  /** A lane may be able to start more than before (an instance became free). Cheap; hot path. */
  capacityChanged(kind: string, lane: string): void;
  /** How many items wait or run in a lane: counted now and then, on large lanes less often, and kept up with what this
   *  node does between, so other nodes' changes show late. Cheap enough to ask before each addition. */
  count(kind: string, lane: string): Promise<number>;
  /** Of each registered kind, for those who look on. Counts that may be large are as old as those of `count`. */
  figures(): Promise<readonly KindFigures[]>;
  /** Takes no more, lets what runs finish for `deadlineMs`, then aborts it and lets its leases go for others. Waits only
   *  a moment for a store that refuses the outcomes of what has run: that runs again. */
  drain(deadlineMs: number): Promise<void>;
  readonly deadLetters: DeadLetters;
}

/** How a kind of work stands. All but `running` is of all nodes that share the store. */
export interface KindFigures {
  readonly kind: string;
  /** Items that nobody runs, due or not. */
  readonly waiting: number;
  /** How long the item that is due longest has been claimable; 0 when nothing is due. */
  readonly oldestDueMs: number;
  /** On this node. */
  readonly running: number;
  readonly deadLetters: number;
}

export interface NewWork {
  readonly id: string;
  readonly kind: string;
  readonly lane: string;
  readonly dueAtMs: number;
  /** Attempts in all that may fail, the first included. */
  readonly attemptsMax: number;
  /** From acceptance; older work becomes a dead letter whatever its attempts. */
  readonly ageMsMax: number;
  readonly payload?: Uint8Array | undefined;
  readonly payloadId?: string | undefined;
  /** JSON value for the handler. */
  readonly details: unknown;
  readonly causeId: string | undefined;
  readonly traceId: string | undefined;
}

export interface Work {
  readonly id: string;
  readonly kind: string;
  readonly lane: string;
  readonly dueAtMs: number;
  readonly acceptedAtMs: number;
  /**
   * Number of this attempt: 1 is the first. Every start has its own, also one that was refused, aborted or lost by a
   * crash, so of two attempts the newer has the larger number. Which ones count against `attemptsMax`, outcomes decide.
   */
  readonly attempt: number;
  readonly attemptsMax: number;
  readonly payload: Uint8Array | undefined;
  readonly payloadId: string | undefined;
  readonly details: unknown;
  readonly causeId: string | undefined;
  readonly traceId: string | undefined;
}

export interface WorkKind {
  readonly name: string;
  /** Of the node's running work, how many places only this kind may take. */
  readonly placesReserved: number;
  /**
   * How many items of this lane could start now on this node; claims never take more. `run` counts from the moment it
   * is called: what it takes of the lane's capacity, it takes before its first await.
   */
  admit(lane: string): number;
  /** Runs one item. Aborts when its lease was lost or the node stops. What it throws counts as `refused`. */
  run(work: Work, signal: AbortSignal): Promise<WorkOutcome>;
  /** Called once when an item died; for records. Statements join the write that moves it to the dead letters. */
  onDead?(work: Work, problem: CallProblem): readonly Statement[];
}

export type WorkOutcome =
  | { readonly kind: "done"; readonly statements?: readonly Statement[] }
  /** The work's own failure: consumes an attempt; repeated with back-off while attempts and age allow, else dead. */
  | { readonly kind: "failed"; readonly problem: CallProblem }
  /** The platform could not run it (no capacity, restart): no attempt is consumed, bounded by age only. */
  | { readonly kind: "refused"; readonly problem: CallProblem; readonly delayMs: number }
  /** Not to be repeated, whatever attempts remain. */
  | { readonly kind: "dead"; readonly problem: CallProblem };

export interface DeadLetter extends Omit<Work, "dueAtMs"> {
  readonly diedAtMs: number;
  readonly problem: CallProblem;
}

export interface DeadLetters {
  /** Newest first. `cursor` is the id of the last item of the page before. */
  list(options: {
    readonly kind: string;
    readonly lanes?: readonly string[];
    readonly cursor?: string;
    readonly countMax: number;
  }): Promise<readonly DeadLetter[]>;
  get(id: string): Promise<DeadLetter | undefined>;
  /** Puts it back under the same id with a fresh age, due now: it may fail as often as before, and the number of the
   *  attempt goes on from the last. False when it is not there. */
  redrive(id: string): Promise<boolean>;
  remove(id: string): Promise<boolean>;
}
