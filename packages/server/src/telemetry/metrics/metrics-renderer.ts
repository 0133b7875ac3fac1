import type { Worker } from "node:worker_threads";
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

/**
 * Renders in a thread of its own, started with the first scrape: ten thousand functions make tens of megabytes of text.
 * One rendering at a time; whoever asks meanwhile shares it.
 */
export class MetricsRenderer implements AsyncDisposable {
  readonly #metrics: FunctionMetrics;
  #worker: Worker | undefined;
  #namesSent = 0;
  #rendering: Promise<readonly Uint8Array[]> | undefined;
  #answer: PromiseWithResolvers<readonly Uint8Array[]> | undefined;

  constructor(metrics: FunctionMetrics) {
    this.#metrics = metrics;
  }

  /** Prometheus text in pieces. `read` gives the figures of the moment; it is not called for a shared rendering. */
  render(read: () => Promise<OthersFigures>): Promise<readonly Uint8Array[]> {
    this.#rendering ??= this.#render(read).finally(() => {
      this.#rendering = undefined;
    });
    return this.#rendering;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#rendering === undefined ? [] : [this.#rendering]);
    await this.#worker?.terminate();
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
      this.#worker = undefined;
      this.#answer?.reject(new Error("the metrics thread ended"));
    });
    this.#worker = worker;
    this.#namesSent = 0;
    return worker;
  }
}
