import type { FunctionGauges, ObservedCall } from "../../seams.ts";
import { bucketSeconds, columns, countedStatuses, gaugeColumns, histogram } from "./metric-columns.ts";

/** The figures of all functions at one moment, in arrays that can be handed to another thread. */
export interface FunctionFigures {
  /** A row of `columns.count` numbers for each function, in the order of their names. */
  readonly counters: Float64Array<ArrayBuffer>;
  /** A row of `gaugeColumns.length` numbers for each function. */
  readonly gauges: Float64Array<ArrayBuffer>;
}

const separator = "\u0000";
const otherName = `_other${separator}_other`;
const rowsAtFirst = 64;
const rowsPerTurn = 500;

/**
 * Counters of every function in one typed array: a row each, found by the function's id. Counting costs a map lookup and
 * a few additions. Beyond `functionsMax` functions share one row, named `_other`.
 */
export class FunctionMetrics {
  readonly #functionsMax: number;
  #counters = new Float64Array(rowsAtFirst * columns.count);
  /** `application NUL function` of each row. */
  readonly #names: string[] = [];
  readonly #rowByName = new Map<string, number>();
  readonly #rowById = new Map<string, number>();

  constructor(functionsMax: number) {
    this.#functionsMax = functionsMax;
  }

  get size(): number {
    return this.#names.length;
  }

  /** Names of the rows from `start` on: application, function, application, function … joined by NUL. */
  namesFrom(start: number): string {
    return this.#names.slice(start).join(separator);
  }

  /** Hot path. Counts a call (each attempt of one) that has finished. */
  observe(call: ObservedCall): void {
    const status = countedStatuses.indexOf(call.status);
    if (status === -1) return;
    const row = this.#rowOf(call) * columns.count;
    this.#add(row + columns.status + status, 1);
    if (call.isColdStart) this.#add(row + columns.coldStarts, 1);
    this.#addTime(row + columns.wait, call.waitUs);
    if (call.startedAtMs !== undefined) this.#addTime(row + columns.duration, call.runUs);
  }

  /** A copy, made in short turns of the loop: ten thousand functions at once would hold up calls. */
  async figures(gauges: readonly FunctionGauges[]): Promise<FunctionFigures> {
    const rows = new Uint32Array(gauges.length);
    await inTurns(gauges, (gauge, index) => {
      rows[index] = this.#rowNamed(gauge.applicationName, gauge.functionName);
    });
    const values = new Float64Array(this.size * gaugeColumns.length).fill(Number.NaN);
    await inTurns(gauges, (gauge, index) => {
      const start = (rows[index] ?? 0) * gaugeColumns.length;
      for (const [column, name] of gaugeColumns.entries()) {
        values[start + column] = (values[start + column] || 0) + gauge[name];
      }
    });
    const counters = new Float64Array((values.length / gaugeColumns.length) * columns.count);
    for (let at = 0; at < counters.length; at += rowsPerTurn * columns.count) {
      const end = Math.min(counters.length, at + rowsPerTurn * columns.count);
      counters.set(this.#counters.subarray(at, end), at);
      await nextTurn();
    }
    return { counters, gauges: values };
  }

  #rowOf(call: ObservedCall): number {
    const known = this.#rowById.get(call.functionId);
    if (known !== undefined) return known;
    const row = this.#rowNamed(call.applicationName, call.functionName);
    // Functions come and go; their ids are found again by name.
    if (this.#rowById.size >= 2 * this.#functionsMax) this.#rowById.clear();
    this.#rowById.set(call.functionId, row);
    return row;
  }

  #rowNamed(applicationName: string, functionName: string): number {
    const name = `${applicationName}${separator}${functionName}`;
    const known = this.#rowByName.get(name);
    if (known !== undefined) return known;
    const isBeyond = this.size >= this.#functionsMax && name !== otherName;
    if (isBeyond) return this.#rowNamed("_other", "_other");
    const row = this.#names.push(name) - 1;
    this.#rowByName.set(name, row);
    if (this.size * columns.count > this.#counters.length) {
      const larger = new Float64Array(this.#counters.length * 2);
      larger.set(this.#counters);
      this.#counters = larger;
    }
    return row;
  }

  #addTime(start: number, us: number): void {
    const seconds = us / 1e6;
    let bucket = 0;
    while (bucket < bucketSeconds.length && seconds > (bucketSeconds[bucket] ?? 0)) bucket++;
    this.#add(start + bucket, 1);
    this.#add(start + histogram.sum, seconds);
  }

  #add(index: number, value: number): void {
    this.#counters[index] = (this.#counters[index] ?? 0) + value;
  }
}

async function inTurns<Item>(items: readonly Item[], visit: (item: Item, index: number) => void): Promise<void> {
  for (let at = 0; at < items.length; at += rowsPerTurn) {
    for (const [offset, item] of items.slice(at, at + rowsPerTurn).entries()) visit(item, at + offset);
    await nextTurn();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
