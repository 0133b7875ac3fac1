import type { Clock } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import type { ObservedCall } from "../seams.ts";
import { CallBatch } from "./call-batch.ts";
import { CalledFunctions } from "./called-functions.ts";
import type { Backlog } from "./write-behind.ts";

/** Calls that wait for the store, in the batches in which they will be written: one, unless the store is slow. */
export class PendingCalls implements Backlog<CallBatch> {
  readonly #nodeId: string;
  readonly #batchCallsMax: number;
  readonly #functions: CalledFunctions;
  readonly #batches: CallBatch[] = [];

  constructor(deps: { readonly clock: Clock; readonly ids: NewId; readonly nodeId: string }, batchCallsMax: number) {
    this.#nodeId = deps.nodeId;
    this.#batchCallsMax = batchCallsMax;
    this.#functions = new CalledFunctions(deps);
  }

  get size(): number {
    let size = 0;
    for (const batch of this.#batches) size += batch.length;
    return size;
  }

  has(id: string): boolean {
    return this.#batchOf(id) !== undefined;
  }

  /** Hot path. A call that waits already changes where it is. */
  add(call: ObservedCall): void {
    const waiting = this.#batches.length > 1 ? this.#batchOf(call.id) : undefined;
    const batch = waiting ?? this.#batchWithRoom();
    batch.add(call, this.#functions.of(call));
  }

  take(): CallBatch {
    return this.#batches.shift() ?? new CallBatch(this.#nodeId);
  }

  /** The store has these now. */
  stored(batch: CallBatch): void {
    for (const called of batch.newFunctions) called.isStored = true;
  }

  /** The store will never have some that were taken. */
  lost(): void {
    this.#functions.forget();
  }

  #batchOf(id: string): CallBatch | undefined {
    for (const batch of this.#batches) if (batch.has(id)) return batch;
    return undefined;
  }

  #batchWithRoom(): CallBatch {
    const last = this.#batches.at(-1);
    if (last !== undefined && last.length < this.#batchCallsMax) return last;
    const next = new CallBatch(this.#nodeId);
    this.#batches.push(next);
    return next;
  }
}
