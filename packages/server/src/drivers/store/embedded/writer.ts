import { Problem } from "@chaya/contract";
import { assert } from "../../../kernel/assert.ts";
import { LinkedQueue } from "../../../kernel/linked-queue.ts";
import type { BoundStatement } from "../bind-statement.ts";
import type { Applied } from "../driver.ts";
import type { DatabaseThread } from "./database-thread.ts";
import type { BatchOutcome } from "./thread-messages.ts";

/**
 * The order of writes on the writer's thread. A turn is one group commit or one whole interactive transaction; when
 * both wait, they alternate. States: idle → (a write arrives) → woken for the end of this tick, so that what arrives
 * with it shares the commit → busy with a turn → woken again or idle. Nothing survives a crash but what was committed.
 */
export class Writer {
  readonly #thread: DatabaseThread;
  /** Throws `storage-full` while there is no room. */
  readonly #requireRoom: () => void;
  readonly #batches = new LinkedQueue<WaitingBatch>();
  readonly #transactions = new LinkedQueue<() => Promise<void>>();
  readonly #closed = Promise.withResolvers<void>();
  #holders = 0;
  #isClosing = false;
  #state: "idle" | "woken" | "busy" = "idle";
  #lastTurn: "group" | "transaction" = "transaction";

  constructor(thread: DatabaseThread, requireRoom: () => void) {
    this.#thread = thread;
    this.#requireRoom = requireRoom;
  }

  /** Nothing is done now, and nothing waits. */
  get isIdle(): boolean {
    return this.#state === "idle";
  }

  /** What runs now, or waits, may last as long as somebody wishes. */
  get isHeld(): boolean {
    return this.#holders > 0;
  }

  /** `frees`: it makes room, so it runs on a full disk as well. */
  apply(statements: readonly BoundStatement[], options: { readonly frees: boolean }): Promise<Applied> {
    if (this.#isClosing || this.#batches.size >= batchesWaitingMax) return Promise.reject(this.#refusal());
    return new Promise((resolve, reject) => {
      this.#batches.push({ statements, frees: options.frees, resolve, reject });
      this.#wake();
    });
  }

  /** Runs `task`, which decides how long it lasts, while nothing else uses the thread. */
  async exclusively<T>(task: () => Promise<T>): Promise<T> {
    this.#holders++;
    try {
      return await this.inTurn(task);
    } finally {
      this.#holders--;
    }
  }

  /** The same for a task that is one request to the thread. */
  inTurn<T>(task: () => Promise<T>): Promise<T> {
    if (this.#isClosing || this.#transactions.size >= transactionsWaitingMax) return Promise.reject(this.#refusal());
    return new Promise((resolve, reject) => {
      this.#transactions.push(() => task().then(resolve, reject));
      this.#wake();
    });
  }

  /** Calls `done` when the turn that runs now and the batches that wait now have been answered. */
  afterPending(done: () => void): void {
    if (this.#state === "idle") queueMicrotask(done);
    else this.#batches.push({ statements: [], frees: false, resolve: done, reject: done });
  }

  /** Takes no more; resolves when everything taken before has been answered. */
  close(): Promise<void> {
    this.#isClosing = true;
    this.#wake();
    return this.#closed.promise;
  }

  #wake(): void {
    if (this.#state !== "idle") return;
    this.#state = "woken";
    setImmediate(() => void this.#work());
  }

  /** Never rejects: every turn gives its failure to those who wait for it. */
  async #work(): Promise<void> {
    assert(this.#state === "woken", "one turn at a time");
    this.#state = "busy";
    const isTransaction = this.#transactions.size > 0 && (this.#batches.size === 0 || this.#lastTurn === "group");
    this.#lastTurn = isTransaction ? "transaction" : "group";
    if (isTransaction) await this.#transactions.shift()?.();
    else await this.#writeGroup(takeGroup(this.#batches));
    this.#state = "idle";
    if (this.#batches.size > 0 || this.#transactions.size > 0) this.#wake();
    else if (this.#isClosing) this.#closed.resolve();
  }

  async #writeGroup(group: readonly WaitingBatch[]): Promise<void> {
    const writing = group.filter((batch) => batch.statements.length > 0);
    try {
      if (!writing.every((batch) => batch.frees)) this.#requireRoom();
      const outcomes = writing.length === 0 ? [] : await this.#send(writing);
      for (const [index, batch] of writing.entries()) this.#settle(batch, outcomes[index]);
    } catch (error) {
      for (const batch of writing) batch.reject(error);
    }
    for (const batch of group) if (batch.statements.length === 0) batch.resolve({ kind: "applied", results: [] });
  }

  async #send(group: readonly WaitingBatch[]): Promise<readonly BatchOutcome[]> {
    const reply = await this.#thread.ask({ kind: "group", batches: group.map((batch) => batch.statements) });
    assert(reply.kind === "group", "a group is answered with its outcomes");
    return reply.outcomes;
  }

  #settle(batch: WaitingBatch, outcome: BatchOutcome | undefined): void {
    assert(outcome !== undefined, "every batch has an outcome");
    if (outcome.kind === "failed") batch.reject(this.#thread.failureError(outcome.failure));
    else batch.resolve(outcome);
  }

  #refusal(): Problem {
    const reason = this.#isClosing ? "it is closed" : "too many writes wait for the disk";
    return new Problem("store-unavailable", { reason }, { retryAfterMs: 1_000 });
  }
}

interface WaitingBatch {
  readonly statements: readonly BoundStatement[];
  readonly frees: boolean;
  resolve(applied: Applied): void;
  reject(error: unknown): void;
}

const batchesWaitingMax = 50_000;
const transactionsWaitingMax = 1_000;
/** Bounds how long the first of a group waits for the last. */
const groupStatementsMax = 1_024;

function takeGroup(batches: LinkedQueue<WaitingBatch>): readonly WaitingBatch[] {
  const group: WaitingBatch[] = [];
  let statements = 0;
  for (let batch = batches.peek(); batch !== undefined; batch = batches.peek()) {
    // What frees room must not share a group with what needs some: that one could be refused.
    const fits = statements + weight(batch) <= groupStatementsMax && batch.frees === (group[0] ?? batch).frees;
    if (group.length > 0 && !fits) break;
    statements += weight(batch);
    group.push(batch);
    batches.shift();
  }
  return group;
}

/** A row of an insert of many costs as much as a statement. */
function weight({ statements }: WaitingBatch): number {
  return statements.reduce((sum, { rows }) => sum + (rows?.count ?? 1), 0);
}
