import { limits, Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import { type Change, type ChangesFeed, resetKind } from "./changes.ts";
import { insertChange, readChanges, readNewestSeq, trimChanges } from "./records/change-rows.ts";

export interface ChangesFeedDeps {
  readonly store: Store<MainTables>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly keptMax?: number;
}

const channel = "changes";
const pollMs = 250;
const trimMs = 60_000;
const changesPerRead = 500;

/** The feed over a store: close it before the store. */
export function createChangesFeed(deps: ChangesFeedDeps): ChangesFeed {
  return new StoredChangesFeed(deps);
}

interface Listener {
  readonly apply: (change: Change) => Promise<void>;
  /** The last change it was told. */
  seq: number;
}

interface Waiter {
  readonly seq: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Reads what is new when this node published something, another node hints, or the poll comes; one pass at a time.
 * `#appliedSeq` is what every listener was told. After a crash a node starts at the newest change and loads all records.
 */
class StoredChangesFeed implements ChangesFeed {
  readonly #deps: ChangesFeedDeps;
  readonly #listeners = new Set<Listener>();
  readonly #waiters = new Set<Waiter>();
  readonly #timers: Timer[] = [];
  #appliedSeq = 0;
  #hints: Disposable | undefined;
  #pass: Promise<void> | undefined;
  /** Somebody asked for a look after the pass under way began to read. */
  #isAsked = false;
  #isFailing = false;
  #trimming: Promise<void> | undefined;
  #isClosed = false;

  constructor(deps: ChangesFeedDeps) {
    this.#deps = deps;
  }

  append(tx: Kysely<MainTables>, kind: string, id: string): Promise<number> {
    return insertChange(tx, { kind, id, atMs: this.#deps.clock.nowMs() });
  }

  async start(): Promise<void> {
    const { store, clock } = this.#deps;
    this.#hints = store.onHint(channel, () => void this.#catchUp());
    this.#appliedSeq = await readNewestSeq(store);
    for (const listener of this.#listeners) listener.seq = this.#appliedSeq;
    this.#timers.push(
      clock.every(pollMs, () => void this.#catchUp()),
      clock.every(trimMs, () => {
        this.#trimming ??= this.#trim();
      }),
    );
  }

  async published(seq: number): Promise<void> {
    this.#deps.store.hint(channel);
    // A pass that failed is repeated by the poll; the change is committed, so its writer need not wait for that.
    if (this.#appliedSeq < seq) await this.#catchUp();
  }

  onChange(apply: (change: Change) => Promise<void>): Disposable {
    const listener: Listener = { apply, seq: this.#appliedSeq };
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  reached(seq: number, signal: AbortSignal): Promise<void> {
    if (this.#appliedSeq >= seq) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#isClosed) return reject(new Problem("server-draining"));
      const leave = () => {
        this.#waiters.delete(waiter);
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        leave();
        reject(signal.reason);
      };
      const waiter: Waiter = {
        seq,
        resolve: () => {
          leave();
          resolve();
        },
        reject: (reason) => {
          leave();
          reject(reason);
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiters.add(waiter);
      void this.#catchUp();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#hints?.[Symbol.dispose]();
    for (const timer of this.#timers) timer.cancel();
    await this.#pass;
    await this.#trimming;
    for (const waiter of this.#waiters) waiter.reject(new Problem("server-draining"));
  }

  /** Resolves after everything that was committed before the call was read and applied, or could not be. */
  #catchUp(): Promise<void> {
    this.#isAsked = true;
    this.#pass ??= this.#readWhileAsked();
    return this.#pass;
  }

  async #readWhileAsked(): Promise<void> {
    try {
      while (this.#isAsked && !this.#isClosed) {
        this.#isAsked = false;
        await this.#readNew();
      }
      this.#isFailing = false;
    } catch (error) {
      // The poll tries again; one line a failure, not one a try.
      if (!this.#isFailing) this.#deps.logger.error("changes could not be applied yet", { error });
      this.#isFailing = true;
    } finally {
      // In the same step as the last look at `#isAsked`: whoever asks later begins another pass.
      this.#pass = undefined;
    }
  }

  async #readNew(): Promise<void> {
    const { store } = this.#deps;
    for (;;) {
      const changes = await readChanges(store, { seq: this.#appliedSeq, countMax: changesPerRead });
      for (const change of changes) {
        if (change.seq !== this.#appliedSeq + 1) return this.#startOver();
        await this.#deliver(change);
      }
      if (changes.length < changesPerRead) return;
    }
  }

  /** Changes this node did not see yet were removed already: it can only load everything again. */
  async #startOver(): Promise<void> {
    // Read before the listeners load, so that what they load is at least as new.
    const seq = await readNewestSeq(this.#deps.store);
    this.#deps.logger.warn("this node missed changes and loads all records again", { from: this.#appliedSeq, to: seq });
    await this.#deliver({ seq, kind: resetKind, id: "" });
    this.#isAsked = true;
  }

  async #deliver(change: Change): Promise<void> {
    for (const listener of this.#listeners) {
      if (listener.seq >= change.seq) continue;
      await listener.apply(change);
      listener.seq = change.seq;
    }
    this.#appliedSeq = change.seq;
    for (const waiter of this.#waiters) if (waiter.seq <= change.seq) waiter.resolve();
  }

  async #trim(): Promise<void> {
    try {
      await trimChanges(this.#deps.store, this.#deps.keptMax ?? limits.changesKeptMax);
    } catch (error) {
      this.#deps.logger.warn("old changes could not be removed; the next round tries again", { error });
    } finally {
      this.#trimming = undefined;
    }
  }
}
