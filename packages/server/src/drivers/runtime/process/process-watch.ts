import type { Worker } from "node:worker_threads";
import type { Clock } from "../../../kernel/clock.ts";
import { IdleTimer } from "../../../kernel/idle-timer.ts";
import { startThread } from "../../../kernel/start-thread.ts";
import type { FindRequest, GroupUse, LookRequest, WatchReply, WatchRequest } from "./process-watch-worker.ts";

type Waiting = PromiseWithResolvers<WatchReply>;

/** While instances run, looks come several times a second. */
const idleMs = 60_000;

/**
 * Looks at the processes of the machine through /proc, in a thread of its own: walking all of them takes milliseconds
 * that calls must not wait for. The thread starts with a look and ends when there was none for a minute.
 */
export class ProcessWatch implements AsyncDisposable {
  readonly #memoryDirectories: readonly string[];
  readonly #waiting = new Map<number, Waiting>();
  readonly #idle: IdleTimer;
  #worker: Worker | undefined;
  #lastId = 0;

  /** `memoryDirectories`: inside the instances, whose files count as memory of theirs. */
  constructor(clock: Clock, memoryDirectories: readonly string[] = []) {
    this.#memoryDirectories = memoryDirectories;
    this.#idle = new IdleTimer(clock, idleMs, () => this.#endThread());
  }

  /** One entry for each process group asked for: what is in it, in its leader's session, or descends from those. */
  async look(groups: readonly number[]): Promise<readonly GroupUse[]> {
    return (await this.#ask({ kind: "look", groups, memoryDirectories: this.#memoryDirectories })).uses;
  }

  /** Processes that run and were started with this entry, `NAME=value`, in their environment. */
  async find(entry: string): Promise<readonly number[]> {
    return (await this.#ask({ kind: "find", entry })).pids;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#idle[Symbol.dispose]();
    await this.#worker?.terminate();
  }

  #ask(asked: LookRequest | FindRequest): Promise<WatchReply> {
    this.#idle.used();
    const waiting: Waiting = Promise.withResolvers();
    const request: WatchRequest = { ...asked, id: ++this.#lastId };
    this.#waiting.set(request.id, waiting);
    this.#worker ??= this.#start();
    this.#worker.postMessage(request);
    return waiting.promise;
  }

  #endThread(): void {
    if (this.#waiting.size > 0) {
      this.#idle.used();
      return;
    }
    void this.#worker?.terminate();
    this.#worker = undefined;
  }

  #start(): Worker {
    const worker = startThread(import.meta.url, "process-watch-worker", { env: {}, name: "process-watch" });
    worker.unref();
    worker.on("message", (reply: WatchReply) => {
      this.#waiting.get(reply.id)?.resolve(reply);
      this.#waiting.delete(reply.id);
    });
    worker.on("error", (error) => this.#fail(worker, error));
    worker.on("exit", () => this.#fail(worker, new Error("the thread that watches processes has ended")));
    return worker;
  }

  /** The next look starts a new thread. */
  #fail(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
