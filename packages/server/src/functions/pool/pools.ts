// Hot path: ARCHITECTURE, hot-path rules
import { Problem } from "@chaya/contract";
import type { Logger } from "../../kernel/logger.ts";
import type { FunctionGauges } from "../../seams.ts";
import type { Application, Directory, DirectoryChange, FunctionRecord } from "../model.ts";
import { FunctionPool, type PoolDeps } from "./function-pool.ts";
import { networkOf } from "./instance-network.ts";
import { InstanceStarter, type InstanceStarterDeps, type PoolSubject } from "./instance-starter.ts";
import { type Evictable, NodeCapacity, type NodeLimits } from "./node-capacity.ts";

export interface PoolsDeps extends InstanceStarterDeps, Pick<PoolDeps, "random" | "onCapacity" | "liveNodes"> {
  readonly directory: Directory;
  readonly logger: Logger;
  readonly limits: NodeLimits;
}

/** A pool without instances and calls is kept for so long, so that it remembers how long calls take. */
const emptyPoolMsMax = 60_000;

/** The pools of all functions on this node, kept in step with the directory. */
export class Pools {
  readonly capacity: NodeCapacity;
  readonly starter: InstanceStarter;
  readonly #deps: PoolsDeps;
  readonly #poolDeps: PoolDeps;
  readonly #pools = new Map<string, FunctionPool>();
  /** Pools of deleted functions whose calls have not all ended. */
  readonly #retired = new Set<FunctionPool>();
  /** Counts the changes of each application's secrets: part of the configuration that instances start with. */
  readonly #secretVersions = new Map<string, number>();
  readonly #closing = new AbortController();
  readonly #preparations = new Set<Promise<void>>();
  readonly #watch: Disposable;

  constructor(deps: PoolsDeps) {
    this.#deps = deps;
    this.capacity = new NodeCapacity(deps.limits, () => this.#evictable());
    this.starter = new InstanceStarter(deps);
    this.#poolDeps = { ...deps, capacity: this.capacity, starter: this.starter };
    this.#watch = deps.directory.onChange((change) => this.#follow(change));
  }

  /** Pools whose function keeps instances up begin to start them. */
  start(): void {
    for (const fn of this.#deps.directory.functions()) this.#keepUp(fn);
  }

  of(application: Application, fn: FunctionRecord): FunctionPool {
    const known = this.#pools.get(fn.id);
    if (known !== undefined) return known;
    const pool = new FunctionPool(this.#poolDeps, this.subject(application, fn));
    this.#pools.set(fn.id, pool);
    return pool;
  }

  find(functionId: string): FunctionPool | undefined {
    return this.#pools.get(functionId);
  }

  /** What instances of a function are started for now. */
  subject(application: Application, fn: FunctionRecord): PoolSubject {
    const secrets = this.#secretVersions.get(application.id) ?? 0;
    const { image, memoryMiB, config, settings } = fn;
    const key = JSON.stringify([
      [image, memoryMiB, settings.network, settings.concurrency, secrets],
      [application.name, application.config, fn.name, config],
    ]);
    return { application, function: fn, key };
  }

  /** Those of deleted functions included. */
  *all(): Iterable<FunctionPool> {
    yield* this.#pools.values();
    yield* this.#retired;
  }

  sweep(nowMs: number): void {
    for (const pool of this.all()) pool.sweep(nowMs);
    for (const [functionId, pool] of this.#pools) {
      if (nowMs - pool.lastUsedMs > emptyPoolMsMax && pool.isEmpty) this.#pools.delete(functionId);
    }
    for (const pool of this.#retired) {
      if (pool.isEmpty) this.#retired.delete(pool);
    }
  }

  gauges(): readonly FunctionGauges[] {
    return [...this.#pools.values()].map((pool) => {
      const busy = [...pool.instances].filter((instance) => instance.calls.length > 0).length;
      return {
        applicationName: pool.subject.application.name,
        functionName: pool.subject.function.name,
        idle: pool.instances.size - busy,
        busy,
        starting: pool.starting,
        waiting: pool.waiting,
      };
    });
  }

  /** Ends every instance with what runs on it. Resolves when nothing is left. */
  async close(): Promise<void> {
    this.#watch[Symbol.dispose]();
    this.#closing.abort(new Error("the pools are closing"));
    await Promise.all([...this.all()].map((pool) => pool.close()));
    await Promise.all(this.#preparations);
  }

  #follow(change: DirectoryChange): void {
    switch (change.kind) {
      case "function":
        this.#refresh(change.id);
        this.#prepare(change.id);
        break;
      case "secret":
        this.#secretVersions.set(change.id, (this.#secretVersions.get(change.id) ?? 0) + 1);
        this.#refreshApplication(change.id);
        break;
      case "application":
        this.#refreshApplication(change.id);
        break;
      case "trigger":
        break;
      default:
        change.kind satisfies never;
    }
  }

  #refreshApplication(applicationId: string): void {
    for (const [functionId, pool] of this.#pools) if (pool.applicationId === applicationId) this.#refresh(functionId);
  }

  #refresh(functionId: string): void {
    const pool = this.#pools.get(functionId);
    const fn = this.#deps.directory.function(functionId);
    const application = fn === undefined ? undefined : this.#deps.directory.application(fn.applicationId);
    if (fn === undefined || application === undefined) {
      if (pool !== undefined) this.#retire(functionId, pool);
    } else if (pool !== undefined) pool.update(this.subject(application, fn));
    else this.#keepUp(fn);
  }

  /** So that the first call need not wait for it. What is wrong with the image is told to those who call. */
  #prepare(functionId: string): void {
    const { directory, runtime } = this.#deps;
    const fn = directory.function(functionId);
    if (fn === undefined || !runtime.canRun(fn.image)) return;
    const likely = { memoryMiB: fn.memoryMiB, network: networkOf(fn, runtime.abilities) };
    const preparation = runtime
      .prepare(fn.image, this.#closing.signal, likely)
      .then(nothing, nothing)
      .finally(() => this.#preparations.delete(preparation));
    this.#preparations.add(preparation);
  }

  #retire(functionId: string, pool: FunctionPool): void {
    this.#pools.delete(functionId);
    this.#retired.add(pool);
    pool.retire(new Problem("function-not-found", { function: pool.subject.function.name }));
  }

  #keepUp(fn: FunctionRecord): void {
    const application = this.#deps.directory.application(fn.applicationId);
    if (application === undefined || fn.settings["min-instances"] === 0) return;
    this.of(application, fn).sweep(this.#deps.clock.monotonicMs());
  }

  *#evictable(): Iterable<Evictable> {
    for (const pool of this.#pools.values()) yield* pool.evictable();
  }
}

function nothing(): void {}
