import type { Worker } from "node:worker_threads";
import { Problem } from "@chaya/contract";
import { AssertionError } from "../../../kernel/assert.ts";
import { LinkedQueue } from "../../../kernel/linked-queue.ts";
import { startThread } from "../../../kernel/start-thread.ts";
import { UniqueViolation } from "../driver.ts";
import type { SqliteFailure } from "./sqlite-failure.ts";
import type { ThreadData, ThreadReply, ThreadRequest } from "./thread-messages.ts";

interface Waiting {
  resolve(reply: ThreadReply): void;
  reject(error: unknown): void;
}

/** A connection to the database in a thread of its own. When the thread dies, everything it was asked is rejected. */
export class DatabaseThread {
  readonly #worker: Worker;
  readonly #role: ThreadData["role"];
  readonly #file: string;
  readonly #freeBytes: () => number;
  readonly #waiting = new LinkedQueue<Waiting>();
  readonly #exited: Promise<void>;
  #death: Problem | undefined;

  /** `freeBytes`: of the disk, for the sentence that says it is full. */
  constructor(data: ThreadData, freeBytes: () => number) {
    this.#role = data.role;
    this.#file = data.file;
    this.#freeBytes = freeBytes;
    this.#worker = startThread(import.meta.url, "thread-main", {
      workerData: data,
      name: `store-${data.role}`,
    });
    this.#worker.on("message", (reply: ThreadReply) => this.#waiting.shift()?.resolve(reply));
    this.#worker.on("error", (cause: unknown) => this.#die("its thread failed", cause));
    this.#exited = new Promise((resolve) => {
      this.#worker.on("exit", () => {
        this.#die("it is closed", undefined);
        resolve();
      });
    });
  }

  /** Throws `store-unavailable`, `store-damaged`, `storage-full`, `store-unfit`, UniqueViolation, or a bug. */
  async ask(request: ThreadRequest): Promise<Exclude<ThreadReply, { kind: "failed" | "unfit" }>> {
    const reply = await this.#send(request);
    if (reply.kind === "failed") throw this.failureError(reply.failure);
    if (reply.kind === "unfit") throw new Problem("store-unfit", { reason: reply.reason });
    return reply;
  }

  /** Lets what was asked before finish. */
  async close(): Promise<void> {
    if (this.#death === undefined) await this.ask({ kind: "close" });
    await this.#exited;
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
        return new Problem("store-damaged", { file: file ?? this.#file, reason });
      case "readonly":
        return this.#role === "reader"
          ? new AssertionError("db only reads; write with apply or transaction")
          : new Problem("store-unavailable", { reason: "the database file is read-only" });
      case "bug":
        return new Error(`SQLite: ${reason}`);
      default:
        return kind satisfies never;
    }
  }

  #send(request: ThreadRequest): Promise<ThreadReply> {
    if (this.#death !== undefined) return Promise.reject(this.#death);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  #die(reason: string, cause: unknown): void {
    this.#death ??= new Problem("store-unavailable", { reason }, cause === undefined ? {} : { cause });
    for (let waiting = this.#waiting.shift(); waiting !== undefined; waiting = this.#waiting.shift())
      waiting.reject(this.#death);
  }
}
