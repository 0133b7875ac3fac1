import type { Store } from "../drivers/store/driver.ts";
import type { TelemetryTables } from "../drivers/store/tables.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import type { Logger } from "../kernel/logger.ts";
import type { ObservedLine, RedactSecrets } from "../seams.ts";
import { LogBudgets } from "./log-budgets.ts";
import type { LogFilter, LogLine, StoredLine } from "./log-line.ts";
import type { LogTails } from "./log-tails.ts";
import { PendingLines } from "./pending-lines.ts";
import { linesOfCall, linesRecorder, newestLines } from "./records/log-lines.ts";
import type { TelemetryLimits } from "./telemetry-limits.ts";
import { WriteBehind } from "./write-behind.ts";

export interface LogLinesDeps {
  readonly store: Store<TelemetryTables>;
  readonly clock: Clock;
  readonly ids: NewId;
  readonly logger: Logger;
  readonly redact: RedactSecrets;
  readonly limits: TelemetryLimits;
  readonly tails: LogTails;
}

/** How the platform's line about a call's cut log begins. */
export const cutMark = "log cut after";
const lineCutMark = Buffer.from(" … line cut");
const batchLinesMax = 128;
const minuteMs = 60_000;
/** Longer than the longest call. */
const quietMs = 2 * 3_600_000;
const linesPerReadMax = 200;

/** Log lines: bounded, redacted and shown to those who follow at once; in the store a moment later. */
export class LogLines {
  readonly #deps: LogLinesDeps;
  readonly #budgets: LogBudgets;
  readonly #pending: PendingLines;
  readonly #writer: WriteBehind<readonly LogLine[]>;
  readonly #timers: readonly Timer[];
  #droppedByLimit = 0;
  #droppedByStore = 0;

  constructor(deps: LogLinesDeps) {
    this.#deps = deps;
    this.#budgets = new LogBudgets(deps.limits);
    this.#pending = new PendingLines(deps);
    const record = linesRecorder(deps.store);
    this.#writer = new WriteBehind(deps, {
      what: "log lines",
      backlog: this.#pending,
      batchItemsMax: batchLinesMax,
      write: async (lines) => void (await deps.store.apply([record(lines)])),
      onLost: (count) => {
        this.#droppedByStore += count;
      },
    });
    this.#timers = [
      deps.clock.every(minuteMs, () => this.#budgets.renewFunctions()),
      deps.clock.every(quietMs, () => this.#budgets.forgetQuietCalls()),
    ];
  }

  /** Lines beyond the limit of their call. */
  get droppedByLimit(): number {
    return this.#droppedByLimit;
  }

  /** Lines that the store was too slow for. */
  get droppedByStore(): number {
    return this.#droppedByStore;
  }

  observe(line: ObservedLine): void {
    const verdict = this.#budgets.take(line);
    if (verdict.kind === "keep") {
      this.#keep(this.#shown(line));
      return;
    }
    this.#droppedByLimit++;
    if (verdict.kind === "drop") return;
    this.#keep({ ...this.#shown(line), stream: "platform", text: Buffer.from(`${cutMark} ${verdict.after}`) });
  }

  /** Its budget is not needed any more. */
  callFinished(callId: string): void {
    this.#budgets.callFinished(callId);
  }

  /** The newest lines, oldest first, with all that were observed before unless the store takes no writes now. */
  async newest(filter: LogFilter, range: Parameters<typeof newestLines>[2]): Promise<readonly StoredLine[]> {
    await this.#writer.flush();
    return newestLines(this.#deps.store.db, filter, range);
  }

  /** The first `countMax` lines of a call, read in pieces. */
  async ofCall(callId: string, countMax: number): Promise<readonly StoredLine[]> {
    await this.#writer.flush();
    const lines: StoredLine[] = [];
    for (;;) {
      const wanted = Math.min(linesPerReadMax, countMax - lines.length);
      const page = { afterId: lines.at(-1)?.id ?? "", countMax: wanted };
      const read = await linesOfCall(this.#deps.store.db, callId, page);
      lines.push(...read);
      if (read.length < wanted || lines.length === countMax) return lines;
    }
  }

  close(): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    return this.#writer.close();
  }

  #keep(line: LogLine): void {
    this.#deps.tails.offer(line);
    if (!this.#pending.add(line)) this.#droppedByStore++;
    this.#writer.added();
  }

  #shown(line: ObservedLine): LogLine {
    const { bytes: _, isCut: _isCut, ...facts } = line;
    return { ...facts, id: this.#deps.ids(), text: this.#text(line) };
  }

  /** Redacted before it is cut, so that no secret is cut in two and kept by halves. */
  #text(line: ObservedLine): Uint8Array {
    const { logLineBytesMax } = this.#deps.limits;
    const redacted = this.#deps.redact(line.applicationId, line.bytes);
    if (redacted.length <= logLineBytesMax && !line.isCut) return redacted;
    return Buffer.concat([redacted.subarray(0, wholeCharacters(redacted, logLineBytesMax)), lineCutMark]);
  }
}

/** The largest length up to `bytesMax` that does not cut a character of UTF-8 in two (RFC 3629 §3). */
function wholeCharacters(bytes: Uint8Array, bytesMax: number): number {
  let length = Math.min(bytes.length, bytesMax);
  while (length > 0 && length > bytesMax - 4 && ((bytes[length] ?? 0) & 0xc0) === 0x80) length--;
  return length;
}
