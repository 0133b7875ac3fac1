import type { ObservedLine } from "../seams.ts";
import type { TelemetryLimits } from "./telemetry-limits.ts";

/** keep: within the limits. cut: the first line beyond; a mark takes its place. drop: beyond, and said so already. */
export type Verdict =
  | { readonly kind: "keep" }
  | { readonly kind: "cut"; readonly after: string }
  | { readonly kind: "drop" };

interface Budget {
  bytes: number;
  lines: number;
  isCut: boolean;
}

const keep: Verdict = { kind: "keep" };
const drop: Verdict = { kind: "drop" };

/**
 * How much each call may still print. Lines between calls count against their function, afresh every minute. A call is
 * forgotten when it finished; one that is never said to have finished, after two quiet periods.
 */
export class LogBudgets {
  readonly #limits: TelemetryLimits;
  #calls = new Map<string, Budget>();
  #quietCalls = new Map<string, Budget>();
  readonly #idleFunctions = new Map<string, Budget>();

  constructor(limits: TelemetryLimits) {
    this.#limits = limits;
  }

  take(line: ObservedLine): Verdict {
    // What the platform says about a call is short, and matters most when the function said too much.
    if (line.stream === "platform") return keep;
    const { logBytesPerCallMax, logBytesPerIdleMinuteMax, logLinesPerCallMax } = this.#limits;
    const budget = line.callId === undefined ? this.#ofFunction(line.functionId) : this.#ofCall(line.callId);
    if (budget.isCut) return drop;
    budget.bytes += Math.min(line.bytes.length, this.#limits.logLineBytesMax) + 1;
    budget.lines++;
    const bytesMax = line.callId === undefined ? logBytesPerIdleMinuteMax : logBytesPerCallMax;
    if (budget.bytes <= bytesMax && budget.lines <= logLinesPerCallMax) return keep;
    budget.isCut = true;
    return { kind: "cut", after: budget.bytes > bytesMax ? `${bytesMax} bytes` : `${logLinesPerCallMax} lines` };
  }

  /** Hot path: most functions print nothing, and looking for an id costs more than adding its record. */
  callFinished(id: string): void {
    if (this.#calls.size > 0) this.#calls.delete(id);
    if (this.#quietCalls.size > 0) this.#quietCalls.delete(id);
  }

  /** Every minute. */
  renewFunctions(): void {
    this.#idleFunctions.clear();
  }

  /** Every quiet period, which is longer than any call. */
  forgetQuietCalls(): void {
    this.#quietCalls = this.#calls;
    this.#calls = new Map();
  }

  #ofCall(id: string): Budget {
    let budget = this.#calls.get(id);
    if (budget === undefined) {
      budget = this.#quietCalls.get(id) ?? { bytes: 0, lines: 0, isCut: false };
      this.#calls.set(id, budget);
    }
    return budget;
  }

  #ofFunction(id: string): Budget {
    let budget = this.#idleFunctions.get(id);
    if (budget === undefined) {
      budget = { bytes: 0, lines: 0, isCut: false };
      this.#idleFunctions.set(id, budget);
    }
    return budget;
  }
}
