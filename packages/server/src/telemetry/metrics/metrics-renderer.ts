import type { Worker } from "node:worker_threads";
import type { Clock } from "../../kernel/clock.ts";
import { IdleTimer } from "../../kernel/idle-timer.ts";
import { startThread } from "../../kernel/start-thread.ts";
import type { FunctionGauges } from "../../seams.ts";
import type { FunctionMetrics } from "./function-metrics.ts";
import type { MetricFamily } from "./metric-family.ts";
import type { Figures } from "./render-metrics.ts";

export interface RenderRequest {
  /** Of the rows that the thread does not know yet, joined by NUL. */
  readonly newNames: string;
  readonly figures: Figures;
}

/** What is counted elsewhere, as it is at the moment of a scrape. */
export interface OthersFigures {
  readonly gauges: readonly FunctionGauges[];
  readonly families: readonly MetricFamily[];
}

/** Scrapes come every minute or more often, or not at all. */
const idleMs = 300_000;

/**
 * Renders in a thread of its own: ten thousand functions make tens of megabytes of text. It starts with a scrape and ends
 * when none came for five minutes. One rendering at a time; whoever asks meanwhile shares it.
 */
export class MetricsRenderer implements AsyncDisposable {
  readonly #metrics: FunctionMetrics;
  readonly #idle: IdleTimer;
  #worker: Worker | undefined;
  #namesSent = 0;
  #rendering: Promise<readonly Uint8Array[]> | undefined;
  #answer: PromiseWithResolvers<readonly Uint8Array[]> | undefined;

  constructor(metrics: FunctionMetrics, clock: Clock) {
    this.#metrics = metrics;
    this.#idle = new IdleTimer(clock, idleMs, () => this.#endThread());
  }

  /** Prometheus text in pieces. `read` gives the figures of the moment; it is not called for a shared rendering. */
  render(read: () => Promise<OthersFigures>): Promise<readonly Uint8Array[]> {
    this.#idle.used();
    this.#rendering ??= this.#render(read).finally(() => {
      this.#rendering = undefined;
    });
    return this.#rendering;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#idle[Symbol.dispose]();
    await Promise.allSettled(this.#rendering === undefined ? [] : [this.#rendering]);
    await this.#worker?.terminate();
  }

  #endThread(): void {
    if (this.#rendering !== undefined) {
      this.#idle.used();
      return;
    }
    void this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #render(read: () => Promise<OthersFigures>): Promise<readonly Uint8Array[]> {
    const now = await read();
    const figures = { ...(await this.#metrics.figures(now.gauges)), families: now.families };
    const worker = this.#startedWorker();
    const request: RenderRequest = { newNames: this.#metrics.namesFrom(this.#namesSent), figures };
    this.#namesSent = this.#metrics.size;
    this.#answer = Promise.withResolvers();
    worker.postMessage(request, [figures.counters.buffer, figures.gauges.buffer]);
    return this.#answer.promise;
  }

  #startedWorker(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = startThread(import.meta.url, "metrics-thread", { name: "metrics" });
    worker.unref();
    worker.on("message", (chunks: readonly Uint8Array[]) => this.#answer?.resolve(chunks));
    worker.on("error", (error: unknown) => this.#answer?.reject(error));
    worker.on("exit", () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#answer?.reject(new Error("the metrics thread ended"));
    });
    this.#worker = worker;
    this.#namesSent = 0;
    return worker;
  }
}
