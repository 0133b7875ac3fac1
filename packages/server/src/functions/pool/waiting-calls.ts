// Hot path: ARCHITECTURE, hot-path rules
import { limits, Problem } from "@chaya/contract";
import { LinkedQueue } from "../../kernel/linked-queue.ts";
import type { NodeCapacity } from "./node-capacity.ts";
import type { PoolCall } from "./pooled-instance.ts";

/** A client told that the queue is full should not come back at once. */
const retryAfterMs = 1_000;

/** The calls of one function that wait for an instance, oldest first; bounded per function and per node. */
export class WaitingCalls {
  readonly #queue = new LinkedQueue<PoolCall>();
  readonly #capacity: NodeCapacity;

  constructor(capacity: NodeCapacity) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#queue.size;
  }

  /** How long the oldest has waited. */
  oldestWaitMs(nowMs: number): number {
    const oldest = this.#queue.peek();
    return oldest === undefined ? 0 : nowMs - oldest.waitingSinceMs;
  }

  /** Why no more may wait. */
  refusal(): Problem | undefined {
    const isNodeFull = this.#capacity.waitingCalls >= this.#capacity.limits.waitingCallsMax;
    if (this.#queue.size < limits.waitingCallsPerFunctionMax && !isNodeFull) return undefined;
    return new Problem("queue-full", { waitingMax: this.#queue.size }, { retryAfterMs });
  }

  push(call: PoolCall): void {
    call.entry = this.#queue.push(call);
    this.#capacity.waitingCalls++;
  }

  shift(): PoolCall | undefined {
    const call = this.#queue.shift();
    if (call !== undefined) this.#capacity.waitingCalls--;
    return call;
  }

  remove(call: PoolCall): void {
    if (call.entry !== undefined && this.#queue.remove(call.entry)) this.#capacity.waitingCalls--;
  }

  /** Refuses those whose time is over. The calls of a function wait equally long, so the oldest are the first. */
  expire(nowMs: number, reason: () => string): void {
    for (let call = this.#queue.peek(); call !== undefined; call = this.#queue.peek()) {
      if (call.waitUntilMs > nowMs) return;
      this.shift();
      const waitedMs = Math.round(nowMs - call.waitingSinceMs);
      call.refused(new Problem("queue-timed-out", { waitedMs, reason: reason() }, { retryAfterMs }));
    }
  }

  refuseAll(problem: Problem): void {
    for (let call = this.shift(); call !== undefined; call = this.shift()) call.refused(problem);
  }
}
