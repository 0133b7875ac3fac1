import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { GroupUse, LookReply, LookRequest } from "./process-watch-worker.ts";

type Waiting = PromiseWithResolvers<readonly GroupUse[]>;

/**
 * Looks at process groups through /proc, in a thread of its own: walking all processes of a machine takes
 * milliseconds that calls must not wait for. The thread starts with the first look.
 */
export class ProcessWatch implements AsyncDisposable {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;

  /** One entry for each group asked for. */
  look(groups: readonly number[]): Promise<readonly GroupUse[]> {
    const waiting: Waiting = Promise.withResolvers();
    const request: LookRequest = { id: ++this.#lastId, groups };
    this.#waiting.set(request.id, waiting);
    this.#worker ??= this.#start();
    this.#worker.postMessage(request);
    return waiting.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(new URL(`./process-watch-worker${extname(import.meta.url)}`, import.meta.url), {
      env: {},
    });
    worker.unref();
    worker.on("message", ({ id, uses }: LookReply) => {
      this.#waiting.get(id)?.resolve(uses);
      this.#waiting.delete(id);
    });
    worker.on("error", (error) => this.#fail(worker, error));
    worker.on("exit", () => this.#fail(worker, new Error("the thread that watches processes has ended")));
    return worker;
  }

  /** The next look starts a new thread. */
  #fail(worker: Worker, error: unknown): void {
    if (this.#worker === worker) this.#worker = undefined;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
