import type { Clock } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import type { LogLine } from "./log-line.ts";
import type { TelemetryLimits } from "./telemetry-limits.ts";
import type { Backlog } from "./write-behind.ts";

/** What a line costs in memory beside its text. */
const lineBytes = 200;
/** Calls whose lost lines are told apart; more are counted in the metrics only. */
const lossesMax = 1_000;

interface Loss {
  readonly line: LogLine;
  lines: number;
}

/** Lines that wait for the store, up to a number of bytes. Where lines were lost a platform line says so later. */
export class PendingLines implements Backlog<readonly LogLine[]> {
  readonly #deps: { readonly clock: Clock; readonly ids: NewId; readonly limits: TelemetryLimits };
  #lines: LogLine[] = [];
  #bytes = 0;
  readonly #losses = new Map<string, Loss>();

  constructor(deps: { readonly clock: Clock; readonly ids: NewId; readonly limits: TelemetryLimits }) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#lines.length;
  }

  /** false: there was no room. */
  add(line: LogLine): boolean {
    const bytes = line.text.length + lineBytes;
    if (this.#bytes + bytes > this.#deps.limits.logBytesPendingMax) {
      this.#lose(line);
      return false;
    }
    this.#push(line, bytes);
    return true;
  }

  take(countMax: number): readonly LogLine[] {
    const taken = this.#lines.slice(0, countMax);
    this.#lines = this.#lines.slice(countMax);
    for (const line of taken) this.#bytes -= line.text.length + lineBytes;
    if (taken.length > 0) this.#markLosses();
    return taken;
  }

  #push(line: LogLine, bytes: number): void {
    this.#lines.push(line);
    this.#bytes += bytes;
  }

  #lose(line: LogLine): void {
    const key = line.callId ?? line.functionId;
    const loss = this.#losses.get(key);
    if (loss !== undefined) loss.lines++;
    else if (this.#losses.size < lossesMax) this.#losses.set(key, { line, lines: 1 });
  }

  #markLosses(): void {
    for (const { line, lines } of this.#losses.values()) {
      const text = Buffer.from(`${lines} log lines were not kept: the store was too slow`);
      this.#push(
        { ...line, id: this.#deps.ids(), atMs: this.#deps.clock.nowMs(), stream: "platform", text },
        text.length + lineBytes,
      );
    }
    this.#losses.clear();
  }
}
