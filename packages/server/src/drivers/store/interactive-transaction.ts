import { AsyncLocalStorage } from "node:async_hooks";
import { Problem } from "@chaya/contract";
import type { CompiledQuery, Kysely } from "kysely";
import { assert } from "../../kernel/assert.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import { type StatementResult, type Store, transactionStatementsMax } from "./driver.ts";
import { kyselyOver, type QueryRunner } from "./query-runner.ts";

/** One open transaction of the database. Each method is called after the one before has settled, `run` excepted. */
export interface OpenTransaction {
  readonly run: QueryRunner;
  commit(): Promise<void>;
  /** Never rejects: where it cannot be done, the connection is lost and the database has done it. */
  rollback(): Promise<void>;
}

export interface TransactionOptions {
  readonly kind: Store<unknown>["kind"];
  readonly clock: Clock;
  readonly msMax: number;
}

/** Knows whether the code that runs now was called from inside a transaction of this store. */
export class TransactionScope {
  readonly #inside = new AsyncLocalStorage<{ isOpen: boolean }>();

  async run<T>(work: () => Promise<T>): Promise<T> {
    const transaction = { isOpen: true };
    try {
      return await this.#inside.run(transaction, work);
    } finally {
      transaction.isOpen = false;
    }
  }

  /** Runs `task` as nobody's: what it starts may outlive the transaction it was called in. */
  leave(task: () => void): void {
    this.#inside.exit(task);
  }

  /** The transaction holds the only writer, or a connection: who waits for another one inside waits for itself. */
  assertOutside(what: string): void {
    const isInside = this.#inside.getStore()?.isOpen === true;
    assert(!isInside, `${what} inside of transaction() would wait for itself; use its tx`);
  }
}

/**
 * Runs `work` over an open transaction and commits. Rolls back when it throws, when a statement failed (also one whose
 * error was caught: PostgreSQL cannot go on after it), after 16 statements, and after `msMax` of its own time.
 */
export async function runInteractive<Tables, T>(
  options: TransactionOptions,
  scope: TransactionScope,
  { open, work }: { readonly open: OpenTransaction; readonly work: (tx: Kysely<Tables>) => Promise<T> },
): Promise<T> {
  const session = new Session(options, open.run);
  try {
    const tx = kyselyOver<Tables>(options.kind, (query) => session.run(query));
    const result = await Promise.race([scope.run(async () => work(tx)), session.overtime]);
    session.end();
    await open.commit();
    return result;
  } catch (error) {
    session.fail(error);
    await open.rollback();
    throw error;
  }
}

/**
 * What `work` may do, and for how long. Time counts while no statement runs: a database that is slow to answer, or an
 * event loop that is slow to hear it, is not the fault of `work`; waiting for something else inside is.
 */
class Session {
  readonly #options: TransactionOptions;
  readonly #run: QueryRunner;
  readonly #overtime = Promise.withResolvers<never>();
  #state: "open" | "failed" | "over" = "open";
  #failure: unknown;
  #statements = 0;
  #running = 0;
  #leftMs: number;
  #resumedMs = 0;
  #timer: Timer | undefined;

  constructor(options: TransactionOptions, run: QueryRunner) {
    this.#options = options;
    this.#run = run;
    this.#leftMs = options.msMax;
    this.#resume();
  }

  /** Rejects when the time is over; settles in no other case. */
  get overtime(): Promise<never> {
    return this.#overtime.promise;
  }

  async run(query: CompiledQuery): Promise<StatementResult> {
    if (this.#state === "failed") throw this.#failure;
    assert(this.#state === "open", "the transaction is over; await its statements inside");
    this.#pause();
    try {
      this.#statements++;
      assert(
        this.#statements <= transactionStatementsMax,
        `a transaction has at most ${transactionStatementsMax} statements`,
      );
      return await this.#run(query);
    } catch (error) {
      this.fail(error);
      throw error;
    } finally {
      this.#running--;
      this.#resume();
    }
  }

  /** Throws what a statement failed with, even when `work` caught it. */
  end(): void {
    this.#timer?.cancel();
    if (this.#state === "failed") throw this.#failure;
    this.#state = "over";
  }

  fail(failure: unknown): void {
    this.#timer?.cancel();
    if (this.#state !== "open") return;
    this.#state = "failed";
    this.#failure = failure;
  }

  #pause(): void {
    this.#timer?.cancel();
    if (this.#running === 0) this.#leftMs -= this.#options.clock.monotonicMs() - this.#resumedMs;
    this.#running++;
  }

  #resume(): void {
    if (this.#running > 0 || this.#state !== "open") return;
    const { clock } = this.#options;
    this.#resumedMs = clock.monotonicMs();
    this.#timer = clock.schedule(this.#leftMs, () => this.#expire());
  }

  #expire(): void {
    const reason = `a transaction took longer than ${this.#options.msMax} ms and was rolled back`;
    const problem = new Problem("store-unavailable", { reason });
    this.fail(problem);
    this.#overtime.reject(problem);
  }
}
