import type { Readable } from "node:stream";
import { limits } from "@chaya/contract";
import type { Clock } from "../../../kernel/clock.ts";
import type { OutputLine } from "../driver.ts";
import { LineSplitter } from "./output-lines.ts";

const windowMs = 125;
const windowBytesMax = (limits.instanceOutputBytesPerSecondMax * windowMs) / 1000;
/** More than the kernel holds of both streams: whoever goes on printing is not waited for. */
const flushBytesMax = 1024 * 1024;

/**
 * Reads what an instance prints. One that prints faster than the limit is held back: its writes wait, the platform's
 * memory and time do not pay for it.
 */
export class OutputReader {
  readonly #clock: Clock;
  readonly #streams: readonly Readable[];
  readonly #splitters: readonly LineSplitter[];
  #bytes = 0;
  #windowBytes = 0;
  #windowStartMs: number;
  #isHeld = false;
  /** A flush that still covers whoever asks now: its first turn is not over. */
  #flushing: Promise<void> | undefined;

  constructor(deps: {
    readonly clock: Clock;
    readonly stdout: Readable;
    readonly stderr: Readable;
    readonly onLine: (line: OutputLine) => void;
  }) {
    this.#clock = deps.clock;
    this.#windowStartMs = deps.clock.monotonicMs();
    this.#streams = [deps.stdout, deps.stderr];
    this.#splitters = (["stdout", "stderr"] as const).map((name) => {
      const splitter = new LineSplitter({ stream: name, bytesMax: limits.logLineBytesMax, onLine: deps.onLine });
      const stream = deps[name];
      stream.on("data", (chunk: Uint8Array) => {
        splitter.push(chunk);
        this.#count(chunk.byteLength);
      });
      stream.on("end", () => splitter.flush());
      // A broken pipe ends the output; the end of the process says the rest.
      stream.on("error", () => splitter.flush());
      return splitter;
    });
  }

  /** Resolves when everything that is in the pipes now was given out, an unfinished line included. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush();
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    const until = this.#bytes + flushBytesMax;
    this.#release();
    // A pipe was empty when a whole turn of the event loop brought nothing; the first turn may be half over already.
    for (let quietTurns = 0; quietTurns < 2 && this.#bytes < until; ) {
      const before = this.#bytes;
      await new Promise((resolve) => setImmediate(resolve));
      this.#flushing = undefined;
      quietTurns = this.#bytes === before ? quietTurns + 1 : 0;
      this.#release();
    }
    for (const splitter of this.#splitters) splitter.flush();
  }

  destroy(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#windowStartMs >= windowMs) {
      this.#windowStartMs = nowMs;
      this.#windowBytes = 0;
    }
    this.#windowBytes += bytes;
    if (this.#windowBytes < windowBytesMax || this.#isHeld) return;
    this.#isHeld = true;
    for (const stream of this.#streams) stream.pause();
    this.#clock.schedule(windowMs, () => this.#release());
  }

  #release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#windowBytes = 0;
    for (const stream of this.#streams) stream.resume();
  }
}
