import type { Worker } from "node:worker_threads";
import { Problem } from "@chaya/contract";
import { LinkedQueue } from "../../../kernel/linked-queue.ts";
import { startThread } from "../../../kernel/start-thread.ts";
import type { ThreadData, ThreadReply, ThreadRequest } from "./thread-messages.ts";

interface Waiting {
  resolve(reply: ThreadReply): void;
  reject(error: unknown): void;
}

/** A worker thread and what it was asked. When the thread dies, everything it was asked is rejected. */
export class ThreadConnection {
  readonly #worker: Worker;
  readonly #waiting = new LinkedQueue<Waiting>();
  readonly #exited: Promise<void>;
  #death: Problem | undefined;

  constructor(data: ThreadData) {
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

  /** Nothing is asked that was not answered. */
  get isIdle(): boolean {
    return this.#waiting.size === 0;
  }

  /** Throws `store-unavailable` when the thread has died. */
  send(request: ThreadRequest): Promise<ThreadReply> {
    if (this.#death !== undefined) return Promise.reject(this.#death);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(request);
    });
  }

  /** Lets what was asked before finish. */
  async close(): Promise<ThreadReply | undefined> {
    const reply = this.#death === undefined ? await this.send({ kind: "close" }) : undefined;
    await this.#exited;
    return reply;
  }

  #die(reason: string, cause: unknown): void {
    this.#death ??= new Problem("store-unavailable", { reason }, cause === undefined ? {} : { cause });
    for (let waiting = this.#waiting.shift(); waiting !== undefined; waiting = this.#waiting.shift())
      waiting.reject(this.#death);
  }
}
