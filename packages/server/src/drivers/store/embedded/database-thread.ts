import { Problem } from "@chaya/contract";
import { AssertionError } from "../../../kernel/assert.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { IdleTimer } from "../../../kernel/idle-timer.ts";
import { UniqueViolation } from "../driver.ts";
import type { SqliteFailure } from "./sqlite-failure.ts";
import { ThreadConnection } from "./thread-connection.ts";
import type { ThreadData, ThreadReply, ThreadRequest } from "./thread-messages.ts";

type Answer = Exclude<ThreadReply, { kind: "failed" | "unfit" }>;

/** An idle thread takes about 9 MiB; starting one takes 35 ms. */
const sleepAfterMs = 60_000;

export interface DatabaseThreadOptions {
  readonly data: ThreadData;
  readonly clock: Clock;
  /** Of the disk, for the sentence that says it is full. */
  readonly freeBytes: () => number;
  /** Ends the thread while nothing is asked; whoever asks then waits for it to start. */
  readonly sleeps: boolean;
}

/**
 * A connection to the database in a thread of its own: opening → awake → (nothing asked for a minute, where it may
 * sleep) asleep → (asked) opening; closed at any time. One whose thread died answers with that as long as it is awake.
 */
export class DatabaseThread {
  readonly #data: ThreadData;
  readonly #freeBytes: () => number;
  readonly #idle: IdleTimer | undefined;
  #connection: ThreadConnection | undefined;
  #opening: Promise<ThreadConnection> | undefined;
  /** Of the thread that was sent to sleep last; never rejects. */
  #ended: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor({ data, clock, freeBytes, sleeps }: DatabaseThreadOptions) {
    this.#data = data;
    this.#freeBytes = freeBytes;
    this.#idle = sleeps ? new IdleTimer(clock, sleepAfterMs, () => this.#sleep()) : undefined;
  }

  get isAwake(): boolean {
    return this.#connection !== undefined;
  }

  /** Opens the database; the writer also migrates it. Throws as `ask` does. */
  async open(): Promise<void> {
    await this.#wake();
  }

  /** Throws `store-unavailable`, `store-damaged`, `storage-full`, `store-unfit`, UniqueViolation, or a bug. */
  async ask(request: ThreadRequest): Promise<Answer> {
    this.#idle?.used();
    const connection = this.#connection ?? (await this.#wake());
    return this.#accept(await connection.send(request));
  }

  /** Lets what was asked before finish. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#idle?.[Symbol.dispose]();
    await Promise.allSettled([this.#opening]);
    const reply = await this.#connection?.close();
    await this.#ended;
    if (reply !== undefined) this.#accept(reply);
  }

  /** What a failure means to the caller of the store. */
  failureError({ kind, reason, file }: SqliteFailure): Error {
    switch (kind) {
      case "unique":
        return new UniqueViolation(reason);
      case "full":
        return new Problem("storage-full", { freeBytes: this.#freeBytes() });
      case "unavailable":
        return new Problem("store-unavailable", { reason });
      case "damaged":
        return new Problem("store-damaged", { file: file ?? this.#data.file, reason });
      case "forbidden":
        return new AssertionError("db only reads; write with apply or transaction");
      case "readonly":
        return new Problem("store-unavailable", { reason: "the database file is read-only" });
      case "bug":
        return new Error(`SQLite: ${reason}`);
      default:
        return kind satisfies never;
    }
  }

  #accept(reply: ThreadReply): Answer {
    if (reply.kind === "failed") throw this.failureError(reply.failure);
    if (reply.kind === "unfit") throw new Problem("store-unfit", { reason: reply.reason });
    return reply;
  }

  #wake(): Promise<ThreadConnection> {
    if (this.#isClosed) return Promise.reject(new Problem("store-unavailable", { reason: "it is closed" }));
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<ThreadConnection> {
    await this.#ended;
    const connection = new ThreadConnection(this.#data);
    try {
      this.#accept(await connection.send({ kind: "open" }));
    } catch (error) {
      await connection.close();
      throw error;
    }
    this.#connection = connection;
    this.#idle?.used();
    return connection;
  }

  #sleep(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (!connection.isIdle) {
      this.#idle?.used();
      return;
    }
    this.#connection = undefined;
    this.#ended = Promise.allSettled([connection.close()]);
  }
}
