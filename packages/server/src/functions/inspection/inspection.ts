import { Problem } from "@chaya/contract";
import type { Inspector, InstanceEnd } from "../../drivers/runtime/driver.ts";
import { assert } from "../../kernel/assert.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import { drainingRetryAfterMs } from "../admission.ts";
import type { InstanceConnection } from "../call/instance-connection.ts";
import type { InstanceStarter, PoolSubject, StartOutcome } from "../pool/instance-starter.ts";
import type { Evictable, NodeCapacity, StartSeeker } from "../pool/node-capacity.ts";
import type { CallPool, PoolCall, PooledInstance } from "../pool/pooled-instance.ts";

export interface InspectionDeps {
  readonly clock: Clock;
  readonly capacity: NodeCapacity;
  readonly starter: InstanceStarter;
}

/**
 * One call on an instance of its own with its inspector open: neither from the function's pool nor for it.
 *
 * reserved → (its call comes) seeking room → starting → open (waits for a debugger, then runs) → over, which it may
 * become at any time. Over means gone: the instance and everything of it. A crash of the platform ends all of it.
 */
export class Inspection implements CallPool, StartSeeker {
  readonly id: string;
  readonly functionId: string;
  /** Who may use it. */
  readonly principalId: string;
  /** Settles when it is over and nothing of it is left. */
  readonly over: Promise<void>;
  readonly #deps: InspectionDeps;
  readonly #inspector = Promise.withResolvers<Inspector>();
  readonly #aborter = new AbortController();
  readonly #isOver: () => void;
  #subject: PoolSubject | undefined;
  #call: PoolCall | undefined;
  #wantsStart = false;
  /** A start keeps its share of the node's starts until the debugger's turn: that may last. */
  #holdsStart = false;
  #start: Promise<void> | undefined;
  #instance: PooledInstance | undefined;
  #patience: Timer | undefined;
  #blockedBy = "one is still starting";
  #ending: Promise<void> | undefined;

  constructor(
    deps: InspectionDeps,
    facts: { readonly id: string; readonly functionId: string; readonly principalId: string },
  ) {
    this.#deps = deps;
    this.id = facts.id;
    this.functionId = facts.functionId;
    this.principalId = facts.principalId;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.#isOver = resolve;
    // Nobody may be waiting for it.
    this.#inspector.promise.catch(() => {});
  }

  get applicationId(): string {
    return this.#subject?.application.id ?? "";
  }

  get memoryMiB(): number {
    return this.#subject?.function.memoryMiB ?? 0;
  }

  /** Its one call is about to begin, with the function as it is now. Throws `inspection-used`. */
  take(subject: PoolSubject): void {
    if (this.#subject !== undefined) throw new Problem("inspection-used");
    this.#subject = subject;
  }

  get isTaken(): boolean {
    return this.#subject !== undefined;
  }

  /** Nobody may come to it any more. */
  get isEnding(): boolean {
    return this.#ending !== undefined;
  }

  /** Resolves once the inspector can be reached. Rejects with `inspection-not-found` when that will never be. */
  get inspector(): Promise<Inspector> {
    return this.#inspector.promise;
  }

  acquire(call: PoolCall): void {
    assert(this.#subject !== undefined && this.#call === undefined, "an inspection is for the one call that took it");
    const { clock, capacity } = this.#deps;
    this.#call = call;
    this.#wantsStart = true;
    const waitMs = this.#subject.function.timeoutS * 1000;
    this.#patience = clock.schedule(waitMs, () =>
      this.#refuse(new Problem("queue-timed-out", this.#whyWaiting(waitMs))),
    );
    capacity.seek(this);
  }

  cancel(): void {
    void this.end();
  }

  release(instance: PooledInstance, call: PoolCall, connection: InstanceConnection): void {
    instance.forgetCall(call);
    connection.destroy();
    void this.end();
  }

  destroy(instance: PooledInstance, call: PoolCall): Promise<void> {
    instance.forgetCall(call);
    return this.end();
  }

  startsWanted(): number {
    return this.#wantsStart ? 1 : 0;
  }

  startOne(room: Promise<unknown>): void {
    this.#wantsStart = false;
    this.#holdsStart = true;
    this.#patience?.cancel();
    this.#start = this.#run(room);
  }

  startBlocked(reason: string): void {
    this.#blockedBy = reason;
  }

  *evictable(): Iterable<Evictable> {}

  /** The platform stops: whoever waits or runs is told so. Resolves when nothing of it is left. */
  close(): Promise<void> {
    const problem = new Problem("server-draining", {}, { retryAfterMs: drainingRetryAfterMs });
    if (this.#instance === undefined) this.#refuse(problem);
    else for (const call of [...this.#instance.calls]) call.instanceLost(problem);
    return this.end();
  }

  /** Ends it with everything of it, at once. Resolves when nothing is left. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #run(room: Promise<unknown>): Promise<void> {
    const { starter, capacity } = this.#deps;
    const subject = this.#subject;
    assert(subject !== undefined, "what starts was taken by a call");
    const onInspector = (inspector: Inspector) => {
      this.#letOthersStart();
      this.#inspector.resolve(inspector);
    };
    const place = { applicationId: this.applicationId, memoryMiB: this.memoryMiB };
    const outcome = await starter.start(subject, { room, onInspector }, this.#aborter.signal);
    this.#letOthersStart();
    if (outcome.kind === "started" && !this.#aborter.signal.aborted) {
      this.#grant(outcome.instance);
      return;
    }
    await this.#giveUp(outcome);
    capacity.leave(place);
  }

  #letOthersStart(): void {
    if (!this.#holdsStart) return;
    this.#holdsStart = false;
    this.#deps.capacity.startEnded();
  }

  #grant(instance: PooledInstance): void {
    const call = this.#call;
    assert(call !== undefined, "what was started was started for a call");
    this.#instance = instance;
    instance.hasServed = true;
    instance.calls.push(call);
    void instance.instance.ended.then((end) => this.#instanceEnded(instance, end));
    call.granted(instance, true);
    call.reportRunning();
  }

  async #giveUp(outcome: StartOutcome): Promise<void> {
    if (outcome.kind === "started") await outcome.instance.destroy();
    if (outcome.kind === "failed") this.#call?.refused(outcome.problem);
    // Its own end waits for the start, which is this one.
    void this.end();
  }

  #refuse(problem: Problem): void {
    this.#call?.refused(problem);
    void this.end();
  }

  #instanceEnded(instance: PooledInstance, end: InstanceEnd): void {
    if (instance.isGone) return;
    instance.end = end;
    for (const call of [...instance.calls]) call.instanceEnded(end);
    void this.end();
  }

  async #end(): Promise<void> {
    const { capacity } = this.#deps;
    this.#wantsStart = false;
    this.#patience?.cancel();
    capacity.forget(this);
    this.#aborter.abort(new Problem("client-gone"));
    this.#inspector.reject(new Problem("inspection-not-found", { inspection: this.id }));
    await this.#start;
    if (this.#instance !== undefined) {
      this.#instance.isGone = true;
      await this.#instance.destroy();
      capacity.leave(this.#instance.place);
    }
    this.#isOver();
  }

  #whyWaiting(waitedMs: number): { readonly waitedMs: number; readonly reason: string } {
    return { waitedMs, reason: this.#blockedBy };
  }
}
