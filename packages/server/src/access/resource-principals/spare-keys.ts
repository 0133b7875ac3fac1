import type { Worker } from "node:worker_threads";
import { limits } from "@chaya/contract";
import type { Clock } from "../../kernel/clock.ts";
import { IdleTimer } from "../../kernel/idle-timer.ts";
import { LinkedQueue } from "../../kernel/linked-queue.ts";
import { startThread } from "../../kernel/start-thread.ts";
import { type KeyPair, makeKeyPair } from "./key-pair.ts";

/** Its thread takes about 9 MiB while it runs, and is started in 35 ms. */
const threadIdleMs = 10_000;
/** Of the four threads that do this process's work with files. */
const madeAtOnceMax = 2;

/**
 * A few key pairs that are made ahead, at low priority: making one takes longer than a cold start may. Whoever takes one
 * starts the making of another; the thread that makes them ends when nothing was wanted for a while. For those who find
 * none they are made at the priority of everything else: a busy machine gives the thread next to no time.
 */
export class SpareKeys implements AsyncDisposable {
  readonly #spares: KeyPair[] = [];
  readonly #takers = new LinkedQueue<PromiseWithResolvers<KeyPair>>();
  readonly #making = new Set<Promise<void>>();
  readonly #idle: IdleTimer;
  #full: PromiseWithResolvers<void> | undefined;
  #thread: Worker | undefined;
  /** How many the thread was asked for and has not made. */
  #asked = 0;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#idle = new IdleTimer(clock, threadIdleMs, () => this.#endThread());
  }

  /** Begins to make what is missing. */
  fill(): void {
    const missing = limits.spareKeyPairsMax - this.#spares.length - this.#asked;
    if (this.#isClosed || missing <= 0) return;
    this.#idle.used();
    this.#thread ??= this.#startThread();
    this.#asked += missing;
    for (let count = 0; count < missing; count++) this.#thread.postMessage("make");
  }

  /** A pair that nobody else gets, as soon as there is one. Rejects when it cannot be made. */
  take(): Promise<KeyPair> {
    if (this.#isClosed) return Promise.reject(closing());
    const spare = this.#spares.pop();
    const taker = Promise.withResolvers<KeyPair>();
    if (spare === undefined) this.#takers.push(taker);
    else taker.resolve(spare);
    this.#makeForTakers();
    this.fill();
    return taker.promise;
  }

  /** One that was taken and not used. */
  giveBack(pair: KeyPair): void {
    const taker = this.#takers.shift();
    if (taker !== undefined) taker.resolve(pair);
    else if (this.#spares.length < limits.spareKeyPairsMax) this.#spares.push(pair);
    if (this.#spares.length < limits.spareKeyPairsMax) return;
    this.#full?.resolve();
    this.#full = undefined;
  }

  /** Resolves when none is missing: whoever is in no hurry waits for that first. Rejects when they cannot be made. */
  full(): Promise<void> {
    if (this.#isClosed) return Promise.reject(closing());
    if (this.#spares.length >= limits.spareKeyPairsMax) return Promise.resolve();
    this.#full ??= Promise.withResolvers();
    this.fill();
    return this.#full.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#idle[Symbol.dispose]();
    this.#refuse(closing());
    await Promise.all([this.#thread?.terminate(), ...this.#making]);
  }

  #makeForTakers(): void {
    while (this.#making.size < Math.min(madeAtOnceMax, this.#takers.size)) {
      const making = makeKeyPair()
        .then((pair) => this.giveBack(pair))
        .catch((error: unknown) => this.#refuse(new Error("a key pair could not be made", { cause: error })))
        .finally(() => {
          this.#making.delete(making);
          this.#makeForTakers();
        });
      this.#making.add(making);
    }
  }

  #startThread(): Worker {
    const thread = startThread(import.meta.url, "key-pair-thread", { env: {}, name: "key-pairs" });
    thread.unref();
    thread.on("message", (pair: KeyPair) => {
      this.#asked--;
      this.#idle.used();
      this.giveBack(pair);
      this.fill();
    });
    thread.on("error", (cause: unknown) => {
      this.#thread = undefined;
      this.#asked = 0;
      this.#refuse(new Error("the thread that makes key pairs failed", { cause }));
    });
    return thread;
  }

  #refuse(reason: Error): void {
    for (let taker = this.#takers.shift(); taker !== undefined; taker = this.#takers.shift()) taker.reject(reason);
    this.#full?.reject(reason);
    this.#full = undefined;
  }

  #endThread(): void {
    if (this.#asked > 0) {
      this.#idle.used();
      return;
    }
    void this.#thread?.terminate();
    this.#thread = undefined;
  }
}

function closing(): Error {
  return new Error("the server is closing");
}
