import { Problem } from "@chaya/contract";
import type { LogFilter, LogLine } from "./log-line.ts";
import type { TelemetryLimits } from "./telemetry-limits.ts";

/** Those who follow the log on this node. */
export class LogTails {
  readonly #limits: TelemetryLimits;
  readonly #tails = new Set<LogTail>();
  #isDraining = false;

  constructor(limits: TelemetryLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#tails.size;
  }

  /** Begins to gather lines at once; dispose it. Throws `log-readers-exhausted`, `server-draining`. */
  open(filter: LogFilter): LogTail & Disposable {
    const { logReadersMax, logReaderBytesPendingMax } = this.#limits;
    if (this.#isDraining) throw new Problem("server-draining");
    if (this.#tails.size >= logReadersMax) throw new Problem("log-readers-exhausted", { readersMax: logReadersMax });
    const tail = new LogTail(filter, logReaderBytesPendingMax, () => this.#tails.delete(tail));
    this.#tails.add(tail);
    return tail;
  }

  /** Hot path while nobody follows: one comparison. */
  offer(line: LogLine): void {
    if (this.#tails.size === 0) return;
    for (const tail of this.#tails) tail.offer(line);
  }

  /** Ends all and takes no more. */
  drain(): void {
    this.#isDraining = true;
    for (const tail of this.#tails) tail[Symbol.dispose]();
  }
}

/** Lines for one reader. What it is too slow for is dropped, and a line of the platform says how much. */
export class LogTail implements Disposable {
  readonly #filter: LogFilter;
  readonly #bytesMax: number;
  readonly #onDispose: () => void;
  readonly #ended = new AbortController();
  #lines: LogLine[] = [];
  #bytes = 0;
  #dropped = 0;
  #lastDropped: LogLine | undefined;
  #wake: () => void = () => {};

  constructor(filter: LogFilter, bytesMax: number, onDispose: () => void) {
    this.#filter = filter;
    this.#bytesMax = bytesMax;
    this.#onDispose = onDispose;
  }

  /** Aborts when the reader went away or the server stops. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  offer(line: LogLine): void {
    const { applicationId, functionId, callId } = this.#filter;
    if (applicationId !== undefined && line.applicationId !== applicationId) return;
    if (functionId !== undefined && line.functionId !== functionId) return;
    if (callId !== undefined && line.callId !== callId) return;
    if (this.#bytes + line.text.length > this.#bytesMax) {
      this.#dropped++;
      this.#lastDropped = line;
      return;
    }
    this.#lines.push(line);
    this.#bytes += line.text.length;
    this.#wake();
  }

  /** What has come since the last time; waits for the first. Empty once the tail has ended. */
  async take(): Promise<readonly LogLine[]> {
    while (this.#lines.length === 0 && !this.#ended.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const taken = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    return this.#lastDropped === undefined ? taken : [...taken, this.#markDropped(this.#lastDropped)];
  }

  [Symbol.dispose](): void {
    this.#onDispose();
    this.#ended.abort();
    this.#wake();
  }

  #markDropped(line: LogLine): LogLine {
    const text = Buffer.from(`${this.#dropped} log lines were left out: they came faster than they were read`);
    this.#dropped = 0;
    this.#lastDropped = undefined;
    return { ...line, stream: "platform", text };
  }
}
