// Hot path: ARCHITECTURE, hot-path rules

import type { Problem } from "@chaya/contract";
import type { Instance, InstanceEnd } from "../../drivers/runtime/driver.ts";
import type { QueueEntry } from "../../kernel/linked-queue.ts";
import type { TurnEnd } from "../../kernel/turn-end.ts";
import { InstanceConnection } from "../call/instance-connection.ts";
import type { InstanceDoor } from "../door/instance-door.ts";

/** A call as its pool and the sweep see it: it waits for an instance, then runs on one. */
export interface PoolCall {
  readonly id: string;
  /** Monotonic. */
  readonly waitingSinceMs: number;
  /** Monotonic: it is refused when it still waits then. */
  readonly waitUntilMs: number;
  /** Its place in the queue, kept by the pool. */
  entry: QueueEntry<PoolCall> | undefined;
  /** Monotonic; infinite while it does not run. */
  readonly deadlineMs: number;
  /** Since dispatch. */
  readonly runMs: number;
  granted(instance: PooledInstance, isColdStart: boolean): void;
  refused(problem: Problem): void;
  expire(): void;
  /** Tells the record of a call that has run for a while. */
  reportRunning(): void;
  instanceEnded(end: InstanceEnd): void;
  /** The platform destroyed the instance for a reason that is not this call's. */
  instanceLost(problem: Problem): void;
}

/** Where calls get their instance from. */
export interface CallPool {
  /** Gives the call an instance, now or later, or refuses it; one of the two happens once, unless it is cancelled. */
  acquire(call: PoolCall): void;
  /** The call waits no more. */
  cancel(call: PoolCall): void;
  /** The call ended and its instance can serve another. */
  release(instance: PooledInstance, call: PoolCall, connection: InstanceConnection): void;
  /** The call failed in a way that its instance does not survive. Resolves when all of it is gone. */
  destroy(instance: PooledInstance, call: PoolCall): Promise<void>;
}

/** What an instance takes of the node while it lives. */
export interface InstancePlace {
  readonly applicationId: string;
  readonly memoryMiB: number;
}

/**
 * A connection is reused for a second at most, as Fn does: a function's HTTP server closes idle connections by its own
 * clock, and a request that meets such a close cannot be told from a crash.
 */
const connectionIdleMsMax = 1_000;

/** An instance in a pool: who uses it, and its idle connections. */
export class PooledInstance {
  readonly instance: Instance;
  readonly place: InstancePlace;
  /** The configuration it was started with. */
  readonly key: string;
  readonly calls: PoolCall[] = [];
  /** Takes no more calls and is destroyed when its last one ends. */
  isRetired = false;
  /** Destroyed or ended; nothing of it is used any more. */
  isGone = false;
  hasServed = false;
  /** How it ended by itself. */
  end: InstanceEnd | undefined;
  /** Monotonic. */
  idleSinceMs: number;
  /** It sent bytes that nobody asked for. */
  onMisbehaved: (instance: PooledInstance) => void = () => {};
  readonly #turnEnd: TurnEnd;
  readonly #door: InstanceDoor;
  readonly #connections: InstanceConnection[] = [];

  constructor(
    instance: Instance,
    options: {
      readonly key: string;
      readonly nowMs: number;
      readonly place: InstancePlace;
      readonly turnEnd: TurnEnd;
      readonly door: InstanceDoor;
    },
  ) {
    this.instance = instance;
    this.key = options.key;
    this.place = options.place;
    this.#turnEnd = options.turnEnd;
    this.#door = options.door;
    this.idleSinceMs = options.nowMs;
  }

  /** The id of the call it is busy with, when that is exactly one. */
  get callId(): string | undefined {
    return this.calls.length === 1 ? this.calls[0]?.id : undefined;
  }

  /** A connection for one call: the newest idle one that is fresh, or a new one. */
  connect(nowMs: number): InstanceConnection {
    for (let idle = this.#connections.pop(); idle !== undefined; idle = this.#connections.pop()) {
      if (idle.isReusable && nowMs - idle.idleSinceMs < connectionIdleMsMax) return idle;
      idle.destroy();
    }
    return new InstanceConnection(this.instance.connect(), { turnEnd: this.#turnEnd, onLost: this.#connectionLost });
  }

  giveBack(connection: InstanceConnection, nowMs: number): void {
    connection.idleSinceMs = nowMs;
    if (connection.isReusable && !this.isGone) this.#connections.push(connection);
    else connection.destroy();
  }

  forgetCall(call: PoolCall): void {
    const index = this.calls.indexOf(call);
    if (index >= 0) this.calls.splice(index, 1);
  }

  flushOutput(): Promise<void> {
    return this.instance.flushOutput();
  }

  /** Ends its idle connections and its door at once; resolves when all of it is gone. */
  destroy(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    this.#connections.length = 0;
    this.#door.revoke();
    return this.instance.destroy();
  }

  readonly #connectionLost = (lost: InstanceConnection): void => {
    const index = this.#connections.indexOf(lost);
    if (index >= 0) this.#connections.splice(index, 1);
    if (lost.sentExcess) this.onMisbehaved(this);
  };
}
