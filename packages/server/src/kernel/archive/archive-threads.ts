import type { Readable } from "node:stream";
import type { Worker } from "node:worker_threads";
import type { Clock, Timer } from "../clock.ts";
import { startThread } from "../start-thread.ts";
import type { ArchiveReply, ArchiveTask } from "./archive-worker.ts";

/** Deploys come in groups: a thread waits so long for the next archive. It takes about 10 MiB. */
const idleMs = 30_000;

/**
 * Threads that read archives, one archive at a time each. Making one takes longer than most archives, so it stays for a
 * while: busy → idle → ended. One whose task failed or was aborted ends at once.
 */
export class ArchiveThreads implements AsyncDisposable {
  readonly #clock: Clock;
  /** The one used last is last. */
  readonly #idle: { readonly worker: Worker; readonly timer: Timer }[] = [];
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes a stream over. Rejects with the signal's reason when aborted, and then nothing of the task goes on. */
  async run(
    task: Omit<ArchiveTask, "source">,
    source: string | ReturnType<typeof Readable.toWeb>,
    signal: AbortSignal,
  ): Promise<ArchiveReply> {
    const worker = this.#take();
    try {
      worker.postMessage({ ...task, source }, typeof source === "string" ? [] : [source]);
      const reply = await replyOf(worker, signal);
      // What a refused stream left unread is in the thread as well.
      if (reply.kind === "read" && !this.#isClosed) this.#keep(worker);
      else await worker.terminate();
      return reply;
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const { worker, timer } of this.#idle.splice(0)) {
      timer.cancel();
      await worker.terminate();
    }
  }

  #take(): Worker {
    const idle = this.#idle.pop();
    if (idle === undefined) return startThread(import.meta.url, "archive-worker", { env: {}, name: "archive" });
    idle.timer.cancel();
    idle.worker.ref();
    return idle.worker;
  }

  #keep(worker: Worker): void {
    worker.unref();
    const timer = this.#clock.schedule(idleMs, () => {
      this.#idle.splice(this.#idle.indexOf(idle), 1);
      void worker.terminate();
    });
    const idle = { worker, timer };
    this.#idle.push(idle);
  }
}

function replyOf(worker: Worker, signal: AbortSignal): Promise<ArchiveReply> {
  return new Promise((resolve, reject) => {
    const onAbort = () => settle(() => reject(signal.reason));
    const onMessage = (reply: ArchiveReply) => settle(() => resolve(reply));
    const onError = (error: unknown) => settle(() => reject(error));
    const onExit = (code: number) => settle(() => reject(new Error(`the unpacking thread ended early (code ${code})`)));
    const settle = (action: () => void) => {
      signal.removeEventListener("abort", onAbort);
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      action();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
  });
}
