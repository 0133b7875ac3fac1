// Hot path: ARCHITECTURE, hot-path rules
import { LinkedQueue, type QueueEntry } from "../../kernel/linked-queue.ts";
import { type IdleInstance, planEvictions, type Shortage } from "./plan-evictions.ts";
import type { InstancePlace } from "./pooled-instance.ts";

export interface NodeLimits {
  /** Memory of all instances together. */
  readonly memoryMiBMax: number;
  readonly instancesMax: number;
  readonly instancesPerApplicationMax: number;
  /** Starts at once: a start keeps a core busy. */
  readonly startsMax: number;
  readonly waitingCallsMax: number;
}

/** An idle instance with the way to end it. */
export interface Evictable extends IdleInstance {
  /** Resolves when it is gone; its place has been given away already. */
  evict(): Promise<void>;
}

/** A pool that may want to start instances. */
export interface StartSeeker extends InstancePlace {
  /** How many starts it wants now. */
  startsWanted(): number;
  /** Begins one start, for which there is room once `room` resolves. */
  startOne(room: Promise<unknown>): void;
  /** It wants to start but cannot: the words continue "No instance became free within 3 s: …". */
  startBlocked(reason: string): void;
  evictable(): Iterable<Evictable>;
}

/**
 * What the instances of this node share: memory, places, and the right to start. Pools that want to start queue here
 * and are served in turn, one start each; when there is no room, idle instances of any function make some.
 */
export class NodeCapacity {
  /** Calls that wait for an instance, of all pools. */
  waitingCalls = 0;
  readonly limits: NodeLimits;
  readonly #allEvictable: () => Iterable<Evictable>;
  readonly #seekers = new LinkedQueue<StartSeeker>();
  readonly #queued = new Map<StartSeeker, QueueEntry<StartSeeker>>();
  readonly #perApplication = new Map<string, number>();
  #memoryMiBUsed = 0;
  #instances = 0;
  #starting = 0;

  constructor(nodeLimits: NodeLimits, allEvictable: () => Iterable<Evictable>) {
    this.limits = nodeLimits;
    this.#allEvictable = allEvictable;
  }

  get instances(): number {
    return this.#instances;
  }

  /** Queues a pool that wants to start, and starts what can be started. */
  seek(seeker: StartSeeker): void {
    if (this.#queued.has(seeker)) return;
    this.#queued.set(seeker, this.#seekers.push(seeker));
    this.#serve(this.#seekers.size);
  }

  /** A pool that is no more seeks nothing. */
  forget(seeker: StartSeeker): void {
    const entry = this.#queued.get(seeker);
    if (entry !== undefined) this.#seekers.remove(entry);
    this.#queued.delete(seeker);
  }

  /** The start has succeeded or failed; its place stays taken until `leave`. */
  startEnded(): void {
    this.#starting--;
    this.#serve(this.#seekers.size);
  }

  /** An instance is gone, or was never started. */
  leave(place: InstancePlace): void {
    this.#free(place);
    this.#serve(this.#seekers.size);
  }

  /** An instance has become idle: whoever is blocked may have it ended. */
  becameIdle(): void {
    if (this.#seekers.size > 0) this.#serve(1);
  }

  /** How many more instances of this kind fit, at most `countMax`; idle ones would make room for it. */
  room(seeker: InstancePlace, countMax: number): number {
    const ofApplication = this.#perApplication.get(seeker.applicationId) ?? 0;
    const inApplication = Math.min(countMax, this.limits.instancesPerApplicationMax - ofApplication);
    const free = this.#fitting(seeker.memoryMiB, { memoryMiB: 0, instances: 0 });
    if (free >= inApplication) return Math.max(0, inApplication);
    const idle = { memoryMiB: 0, instances: 0 };
    for (const instance of this.#allEvictable()) {
      idle.memoryMiB += instance.memoryMiB;
      idle.instances++;
    }
    return Math.max(0, Math.min(inApplication, this.#fitting(seeker.memoryMiB, idle)));
  }

  #fitting(memoryMiB: number, idle: { readonly memoryMiB: number; readonly instances: number }): number {
    const byMemory = Math.floor((this.limits.memoryMiBMax - this.#memoryMiBUsed + idle.memoryMiB) / memoryMiB);
    return Math.min(byMemory, this.limits.instancesMax - this.#instances + idle.instances);
  }

  #serve(seekersMax: number): void {
    for (let turn = seekersMax; turn > 0 && this.#starting < this.limits.startsMax; turn--) {
      const seeker = this.#seekers.shift();
      if (seeker === undefined) return;
      this.#queued.delete(seeker);
      if (seeker.startsWanted() > 0) this.#serveOne(seeker);
      if (seeker.startsWanted() > 0 && !this.#queued.has(seeker)) this.#queued.set(seeker, this.#seekers.push(seeker));
    }
  }

  #serveOne(seeker: StartSeeker): void {
    const shortage = this.#shortage(seeker);
    const isShort = shortage.memoryMiB > 0 || shortage.instances > 0 || shortage.applicationInstances > 0;
    const evictions = isShort ? planEvictions([...this.#allEvictable()], shortage) : [];
    if (evictions === undefined) {
      seeker.startBlocked(this.#describe(shortage));
      return;
    }
    // The places change hands now, so that nobody else takes them while their instances end.
    for (const evicted of evictions) this.#free(evicted);
    this.#starting++;
    this.#instances++;
    this.#memoryMiBUsed += seeker.memoryMiB;
    this.#perApplication.set(seeker.applicationId, (this.#perApplication.get(seeker.applicationId) ?? 0) + 1);
    seeker.startOne(Promise.all(evictions.map((evicted) => evicted.evict())));
  }

  #shortage(seeker: StartSeeker): Shortage {
    const { memoryMiBMax, instancesMax, instancesPerApplicationMax } = this.limits;
    const ofApplication = this.#perApplication.get(seeker.applicationId) ?? 0;
    return {
      memoryMiB: this.#memoryMiBUsed + seeker.memoryMiB - memoryMiBMax,
      instances: this.#instances + 1 - instancesMax,
      applicationInstances: ofApplication + 1 - instancesPerApplicationMax,
      applicationId: seeker.applicationId,
    };
  }

  #describe(shortage: Shortage): string {
    if (shortage.applicationInstances > 0)
      return `its application has ${this.limits.instancesPerApplicationMax} instances, the most allowed`;
    if (shortage.instances > 0) return `this node has ${this.limits.instancesMax} instances, the most allowed`;
    return `the ${this.limits.memoryMiBMax} MiB this node has for functions are in use`;
  }

  #free(place: InstancePlace): void {
    this.#instances--;
    this.#memoryMiBUsed -= place.memoryMiB;
    const rest = (this.#perApplication.get(place.applicationId) ?? 1) - 1;
    if (rest === 0) this.#perApplication.delete(place.applicationId);
    else this.#perApplication.set(place.applicationId, rest);
  }
}
