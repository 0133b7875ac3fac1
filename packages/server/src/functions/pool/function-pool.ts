// Hot path: ARCHITECTURE, hot-path rules
import { Problem } from "@chaya/contract";
import type { InstanceEnd } from "../../drivers/runtime/driver.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Random } from "../../kernel/random.ts";
import { drainingRetryAfterMs } from "../admission.ts";
import { describeEnd } from "../call/call-outcome.ts";
import type { InstanceConnection } from "../call/instance-connection.ts";
import { afterStartFailure, type StartFailures, startRefusal } from "./crash-backoff.ts";
import type { InstanceStarter, PoolSubject, StartOutcome } from "./instance-starter.ts";
import type { Evictable, NodeCapacity, StartSeeker } from "./node-capacity.ts";
import type { CallPool, InstancePlace, PoolCall, PooledInstance } from "./pooled-instance.ts";
import { startsWanted } from "./starts-wanted.ts";
import { WaitingCalls } from "./waiting-calls.ts";

export interface PoolDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly capacity: NodeCapacity;
  readonly starter: InstanceStarter;
  /** How many nodes share a function's maximum; never below 1. */
  readonly liveNodes: () => number;
  /** The function may be able to take more calls than before. */
  readonly onCapacity: (functionId: string) => void;
}

/** A pool that has lost its instances remembers failed starts for so long after the next one was due. */
const failuresRememberedMs = 60_000;

/**
 * The instances of one function on this node and the calls that wait for them. An instance is starting → idle ⇄ busy →
 * gone; its configuration key never changes. When the function's changes, instances of the old key take no more calls:
 * idle ones go at once, busy ones after their last call, starts are aborted, and those who wait get the new ones.
 */
export class FunctionPool implements CallPool, StartSeeker {
  readonly instances = new Set<PooledInstance>();
  /** Monotonic. */
  lastUsedMs: number;
  readonly #deps: PoolDeps;
  readonly #waiting: WaitingCalls;
  /** Those with room for a call; the newest idle one is last and is taken first. */
  readonly #available: PooledInstance[] = [];
  /** What is under way and must end before the pool is closed: starts and destructions. */
  readonly #pending = new Set<Promise<void>>();
  #subject: PoolSubject;
  #startsAborter = new AbortController();
  #starting = 0;
  #failures: StartFailures | undefined;
  #averageRunMs: number | undefined;
  #blockedBy: string | undefined;
  #retiredBy: Problem | undefined;
  #isClosing = false;

  constructor(deps: PoolDeps, subject: PoolSubject) {
    this.#deps = deps;
    this.#subject = subject;
    this.#waiting = new WaitingCalls(deps.capacity);
    this.lastUsedMs = deps.clock.monotonicMs();
  }

  get subject(): PoolSubject {
    return this.#subject;
  }

  get applicationId(): string {
    return this.#subject.application.id;
  }

  get memoryMiB(): number {
    return this.#subject.function.memoryMiB;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  get starting(): number {
    return this.#starting;
  }

  /** Nothing lives, waits or is remembered: the pool can be forgotten. */
  get isEmpty(): boolean {
    if (this.instances.size > 0 || this.#waiting.size > 0 || this.#pending.size > 0) return false;
    return this.#retiredBy !== undefined || (this.#failures === undefined && this.#instancesMin === 0);
  }

  /** This node's share of the function's maximum. */
  get #instancesMax(): number {
    return Math.ceil(this.#subject.function.settings["max-instances"] / this.#deps.liveNodes());
  }

  get #instancesMin(): number {
    return this.#subject.function.settings["min-instances"];
  }

  get #concurrency(): number {
    return this.#subject.function.settings.concurrency;
  }

  acquire(call: PoolCall): void {
    const nowMs = this.#deps.clock.monotonicMs();
    this.lastUsedMs = nowMs;
    const instance = this.#available.at(-1);
    if (instance === undefined) this.#enqueue(call, nowMs);
    else this.#grant(call, instance);
  }

  cancel(call: PoolCall): void {
    this.#waiting.remove(call);
  }

  release(instance: PooledInstance, call: PoolCall, connection: InstanceConnection): void {
    const nowMs = this.#deps.clock.monotonicMs();
    instance.forgetCall(call);
    instance.giveBack(connection, nowMs);
    if (instance.isGone) return;
    this.#failures = undefined;
    this.#averageRunMs = this.#averageRunMs === undefined ? call.runMs : this.#averageRunMs * 0.9 + call.runMs * 0.1;
    if (instance.isRetired) {
      this.#retireInstance(instance);
      return;
    }
    instance.idleSinceMs = nowMs;
    if (!this.#available.includes(instance)) this.#available.push(instance);
    this.#serveWaiting();
    if (instance.calls.length === 0) this.#deps.capacity.becameIdle();
    if (this.#waiting.size === 0) this.#deps.onCapacity(this.#subject.function.id);
  }

  destroy(instance: PooledInstance, call: PoolCall): Promise<void> {
    instance.forgetCall(call);
    return this.#destroy(instance);
  }

  /** The function or its configuration changed; another key means other instances. */
  update(subject: PoolSubject): void {
    const isNewKey = subject.key !== this.#subject.key;
    this.#subject = subject;
    if (isNewKey) this.#renew();
    this.#seek();
  }

  /** The function is no more or the platform stops: those who wait are refused, calls on instances finish. */
  retire(problem: Problem): void {
    this.#retiredBy = problem;
    this.#deps.capacity.forget(this);
    this.#renew();
    this.#waiting.refuseAll(problem);
  }

  /** Ends everything now, calls included. Resolves when nothing of it is left. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.retire(new Problem("server-draining", {}, { retryAfterMs: drainingRetryAfterMs }));
    for (const instance of this.instances) void this.#destroy(instance);
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  /** Regular work: waits that lasted too long, instances idle for too long, starts that have become due. */
  sweep(nowMs: number): void {
    this.#waiting.expire(nowMs, () => this.#whyNobodyIsFree());
    this.#endIdle(nowMs);
    const forgetAtMs = (this.#failures?.retryAtMs ?? 0) + failuresRememberedMs;
    if (this.instances.size === 0 && nowMs > forgetAtMs) this.#failures = undefined;
    this.#seek();
  }

  /** How many calls could begin now beside those that wait. */
  admits(): number {
    if (this.#retiredBy !== undefined) return 0;
    let free = 0;
    for (const instance of this.#available) free += this.#concurrency - instance.calls.length;
    const isHeld = startRefusal(this.#failures, this.#deps.clock.monotonicMs()) !== undefined;
    const room = isHeld ? 0 : this.#deps.capacity.room(this, this.#instancesLeft());
    return Math.max(0, free + (room + this.#starting) * this.#concurrency - this.#waiting.size);
  }

  startsWanted(): number {
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#retiredBy !== undefined || startRefusal(this.#failures, nowMs) !== undefined) return 0;
    const wanted = startsWanted({
      waiting: this.#waiting.size,
      starting: this.#starting,
      concurrency: this.#concurrency,
      live: this.instances.size,
      livesMin: this.#instancesMin,
      oldestWaitMs: this.#waiting.oldestWaitMs(nowMs),
      averageRunMs: this.#averageRunMs,
    });
    return Math.min(wanted, this.#instancesLeft());
  }

  startOne(room: Promise<unknown>): void {
    this.#starting++;
    this.#blockedBy = undefined;
    this.#keepUntilDone(this.#start(room));
  }

  startBlocked(reason: string): void {
    this.#blockedBy = reason;
  }

  /** Idle instances beyond those that are always kept. */
  *evictable(): Iterable<Evictable> {
    let spare = this.instances.size - this.#instancesMin;
    for (const instance of this.#available) {
      if (instance.calls.length > 0) continue;
      if (spare-- <= 0) return;
      yield { ...instance.place, idleSinceMs: instance.idleSinceMs, evict: () => this.#takeDown(instance) };
    }
  }

  #enqueue(call: PoolCall, nowMs: number): void {
    const isNothingThere = this.instances.size === 0 && this.#starting === 0;
    const held = isNothingThere ? startRefusal(this.#failures, nowMs) : undefined;
    const refusal = this.#retiredBy ?? held ?? this.#waiting.refusal();
    if (refusal !== undefined) {
      call.refused(refusal);
      return;
    }
    this.#waiting.push(call);
    this.#seek();
  }

  #seek(): void {
    if (this.startsWanted() > 0) this.#deps.capacity.seek(this);
  }

  #instancesLeft(): number {
    return Math.max(0, this.#instancesMax - this.instances.size - this.#starting);
  }

  #grant(call: PoolCall, instance: PooledInstance): void {
    const isColdStart = !instance.hasServed;
    instance.hasServed = true;
    instance.calls.push(call);
    if (instance.calls.length >= this.#concurrency) this.#unlist(instance);
    call.granted(instance, isColdStart);
  }

  #serveWaiting(): void {
    for (let instance = this.#available.at(-1); instance !== undefined; instance = this.#available.at(-1)) {
      const call = this.#waiting.shift();
      if (call === undefined) return;
      this.#grant(call, instance);
    }
  }

  async #start(room: Promise<unknown>): Promise<void> {
    const place = { applicationId: this.applicationId, memoryMiB: this.memoryMiB };
    const { signal } = this.#startsAborter;
    const outcome = await this.#deps.starter.start(this.#subject, { room }, signal);
    this.#starting--;
    if (outcome.kind === "started" && !signal.aborted) this.#begin(outcome.instance);
    else await this.#giveUp(outcome, place);
    this.#deps.capacity.startEnded();
    this.#seek();
    this.#deps.onCapacity(this.#subject.function.id);
  }

  #begin(instance: PooledInstance): void {
    this.instances.add(instance);
    this.#available.push(instance);
    instance.onMisbehaved = (misbehaved) => this.#retireInstance(misbehaved);
    void instance.instance.ended.then((end) => this.#ended(instance, end));
    this.#serveWaiting();
  }

  async #giveUp(outcome: StartOutcome, place: InstancePlace): Promise<void> {
    if (outcome.kind === "started") await outcome.instance.destroy();
    if (outcome.kind === "failed") this.#startFailed(outcome.problem);
    this.#deps.capacity.leave(place);
  }

  /** The oldest call bears the failure; when nothing else can serve the others and no start may follow, they do too. */
  #startFailed(problem: Problem): void {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#failures = afterStartFailure(this.#failures, problem, { nowMs, random: this.#deps.random.number() });
    this.#waiting.shift()?.refused(problem);
    if (this.instances.size > 0 || this.#starting > 0) return;
    const isAboutImage = problem.code === "image-unavailable" || problem.code === "image-damaged";
    const refusal = isAboutImage ? problem : startRefusal(this.#failures, nowMs);
    if (refusal !== undefined) this.#waiting.refuseAll(refusal);
  }

  #ended(instance: PooledInstance, end: InstanceEnd): void {
    if (instance.isGone) return;
    instance.end = end;
    void this.#destroy(instance);
    if (!instance.hasServed) this.#startFailed(new Problem("instance-start-failed", { how: describeEnd(end) }));
  }

  /** Takes no more calls; goes with the last one. */
  #retireInstance(instance: PooledInstance): void {
    instance.isRetired = true;
    this.#unlist(instance);
    if (instance.calls.length === 0) void this.#destroy(instance);
  }

  async #destroy(instance: PooledInstance): Promise<void> {
    const isFirst = !instance.isGone;
    await this.#takeDown(instance);
    if (!isFirst) return;
    this.#deps.capacity.leave(instance.place);
    this.#seek();
    this.#deps.onCapacity(this.#subject.function.id);
  }

  /** Ends an instance without giving its place back. Resolves when all of it is gone. */
  async #takeDown(instance: PooledInstance): Promise<void> {
    instance.isGone = true;
    this.instances.delete(instance);
    this.#unlist(instance);
    const gone = instance.destroy();
    this.#keepUntilDone(gone);
    for (const call of [...instance.calls]) {
      if (instance.end === undefined) call.instanceLost(this.#whyLost());
      else call.instanceEnded(instance.end);
    }
    await gone;
  }

  /** A stop is the platform's doing: detached calls that it interrupts lose no attempt. */
  #whyLost(): Problem {
    if (this.#isClosing) return new Problem("server-draining", {}, { retryAfterMs: drainingRetryAfterMs });
    return new Problem("function-crashed", { how: "another call on the same instance ended it" });
  }

  /** Instances of another configuration serve nobody new, and failures of the old one say nothing about the new. */
  #renew(): void {
    this.#startsAborter.abort();
    this.#startsAborter = new AbortController();
    this.#failures = undefined;
    for (const instance of [...this.instances]) this.#retireInstance(instance);
  }

  #endIdle(nowMs: number): void {
    const idleMsMax = this.#subject.function.idleTimeoutS * 1000;
    for (const instance of [...this.#available]) {
      if (instance.calls.length > 0 || nowMs - instance.idleSinceMs < idleMsMax) continue;
      if (this.instances.size <= this.#instancesMin) return;
      void this.#destroy(instance);
    }
  }

  #unlist(instance: PooledInstance): void {
    const index = this.#available.lastIndexOf(instance);
    if (index >= 0) this.#available.splice(index, 1);
  }

  #whyNobodyIsFree(): string {
    if (this.#starting > 0) return "one is still starting";
    if (this.#blockedBy !== undefined) return this.#blockedBy;
    return `all ${this.instances.size} instances are busy (chaya/max-instances allows ${this.#subject.function.settings["max-instances"]})`;
  }

  #keepUntilDone(task: Promise<void>): void {
    const kept = task.finally(() => this.#pending.delete(kept));
    this.#pending.add(kept);
  }
}
