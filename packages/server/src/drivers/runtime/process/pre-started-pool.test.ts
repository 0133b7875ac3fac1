import { afterEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../kernel/logger.ts";
import { ManualClock } from "../../../testing/manual-clock.ts";
import type { Flavour } from "./flavour.ts";
import { PreStartedPool, type Waiter } from "./pre-started-pool.ts";

const never = new AbortController().signal;
const usual: Flavour = { program: "node", network: "outbound", heapMiB: 96, readable: [] };
const python: Flavour = { ...usual, program: "python", heapMiB: 0 };

class TestProcess implements Waiter {
  readonly flavour: Flavour;
  readonly manner: string;
  isUsable = true;
  readonly ended: Promise<void>;
  readonly #end: () => void;

  constructor(flavour: Flavour, manner: string) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.flavour = flavour;
    this.manner = manner;
    this.ended = promise;
    this.#end = resolve;
  }

  async destroy(): Promise<void> {
    this.isUsable = false;
    this.#end();
  }

  destroyUnasked(): void {
    void this.destroy();
  }
}

describe("the pool of pre-started processes", () => {
  const pools: PreStartedPool<TestProcess>[] = [];
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool[Symbol.asyncDispose]();
  });

  /** Starts are answered by hand when `isHeld`. */
  function makePool(options: { readonly isHeld?: boolean; readonly processesMax?: number } = {}) {
    const clock = new ManualClock();
    const made: TestProcess[] = [];
    const held: PromiseWithResolvers<void>[] = [];
    let startingMax = 0;
    let starting = 0;
    const pool = new PreStartedPool<TestProcess>(
      {
        ...{ clock, logger: silentLogger(), startsAtOnceMax: 2 },
        sizes: { processesMax: options.processesMax ?? 32, idle: 2, active: 10 },
        start: async (flavour, manner, signal) => {
          startingMax = Math.max(startingMax, ++starting);
          const answer = Promise.withResolvers<void>();
          signal.addEventListener("abort", () => answer.reject(signal.reason));
          held.push(answer);
          if (options.isHeld !== true) answer.resolve();
          await answer.promise.finally(() => starting--);
          const process = new TestProcess(flavour, manner);
          made.push(process);
          return process;
        },
      },
      usual,
    );
    pools.push(pool);
    return { pool, clock, made, held, startingMax: () => startingMax };
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  it("has processes of the kind that is likely to be needed next, also of a language that nobody has called yet", async () => {
    const { pool, clock, made } = makePool();
    await settled();
    const large = { ...usual, heapMiB: 192 };
    pool.expect(large);
    pool.expect(python);
    await clock.advance(100);
    await settled();
    await clock.advance(100);
    const usable = made.filter(({ isUsable }) => isUsable).map(({ flavour }) => flavour);
    expect(usable.filter((flavour) => flavour === large)).toHaveLength(4);
    expect(usable.filter((flavour) => flavour === python).length).toBeGreaterThanOrEqual(2);
    expect(usable).not.toContain(usual);
  });

  it("keeps two of the usual kind, gives each away once and makes more while they are taken", async () => {
    const { pool, clock, made, startingMax } = makePool();
    await settled();
    expect(pool.readyCount).toBe(2);
    const [first, second] = [await pool.take(usual, never), await pool.take(usual, never)];
    expect([first, second]).toEqual(made.slice(0, 2));
    // Not while those have their first work to do.
    expect(made.length).toBe(2);
    await clock.advance(100);
    await settled();
    expect(pool.readyCount).toBe(6);
    expect(startingMax()).toBe(2);
    expect(made.every(({ manner }) => manner === "warm")).toBe(true);
  });

  it("makes more soon after the first work of those that were taken, not during it", async () => {
    const { pool, clock, made } = makePool();
    await settled();
    const [first, second] = [await pool.take(usual, never), await pool.take(usual, never)];
    await clock.advance(50);
    pool.settled(first);
    await clock.advance(20);
    await settled();
    expect(made.length).toBe(2);
    pool.settled(second);
    await clock.advance(9);
    expect(made.length).toBe(2);
    await clock.advance(1);
    await settled();
    expect(pool.readyCount).toBe(6);
  });

  it("starts one for whoever finds none on a core that no first work keeps busy, and waits no longer for it", async () => {
    const { pool, clock, made } = makePool();
    await settled();
    const first = await pool.take(usual, never);
    await pool.take(usual, never);
    const third = pool.take(usual, never);
    await settled();
    expect(made.length).toBe(2);
    pool.settled(first);
    expect((await third).manner).toBe("bare");
    await settled();
    // Nothing for those who may come: the second still works.
    expect(made.length).toBe(3);
    await clock.advance(100);
    await settled();
    expect(pool.readyCount).toBe(8);
  });

  it("tells what those who took one found", async () => {
    const { pool } = makePool();
    await settled();
    const kinds = [usual, usual, usual, python, python];
    await Promise.all(kinds.map(async (kind) => pool.settled(await pool.take(kind, never))));
    expect(pool.found).toEqual({ ready: 2, "all-taken": 2, "first-of-kind": 1, "none-kept": 0 });
  });

  it("starts one plainly for whoever finds none, and gives him whichever is ready first", async () => {
    const { pool, held, made } = makePool({ isHeld: true });
    const taken = Promise.all([1, 2, 3, 4].map(() => pool.take(usual, never)));
    for (let index = 0; index < 4; index++) {
      await settled();
      held[index]?.resolve();
    }
    expect(await taken).toEqual(made.slice(0, 4));
    expect(made.slice(0, 4).map(({ manner }) => manner)).toEqual(["warm", "warm", "bare", "bare"]);
  });

  it("has Python only once Python is used, and shrinks to the idle ones when nothing happens", async () => {
    const { pool, clock, made } = makePool();
    await settled();
    expect((await pool.take(python, never)).flavour).toBe(python);
    await clock.advance(100);
    await settled();
    expect(made.filter(({ flavour, isUsable }) => flavour === python && isUsable).length).toBe(1 + 4);
    await clock.advance(6 * 60_000);
    await settled();
    expect(pool.readyCount).toBe(2);
    expect(made.filter(({ flavour, isUsable }) => flavour === python && isUsable).length).toBe(1);
  });

  it("may have no size at all", async () => {
    const { pool, clock, made } = makePool({ processesMax: 0 });
    await clock.advance(60_000);
    await pool.take(usual, never);
    await clock.advance(60_000);
    await settled();
    expect(made.map(({ manner }) => manner)).toEqual(["bare"]);
    expect(pool.found).toEqual({ ready: 0, "all-taken": 0, "first-of-kind": 0, "none-kept": 1 });
  });

  it("replaces one that ended while it waited, and never gives away one that cannot be used", async () => {
    const { pool, made } = makePool();
    await settled();
    await made[0]?.destroy();
    await settled();
    expect(pool.readyCount).toBe(2);
    for (const process of made) process.isUsable = false;
    expect((await pool.take(usual, never)).isUsable).toBe(true);
  });

  it("tells whoever waits why none could be started, and tries again later and later by itself", async () => {
    const { pool, clock, held } = makePool({ isHeld: true });
    const taken = pool.take(usual, never);
    held[0]?.reject(new Error("no memory"));
    await expect(taken).rejects.toThrow("no memory");
    held[1]?.reject(new Error("no memory"));
    await settled();
    expect(held.length).toBe(2);
    await clock.advance(2000);
    await settled();
    expect(held.length).toBe(4);
  });

  it("lets whoever gives up go, and whoever waits at its end", async () => {
    const { pool } = makePool({ isHeld: true });
    const controller = new AbortController();
    const given = expect(pool.take(usual, controller.signal)).rejects.toThrow("enough");
    controller.abort(new Error("enough"));
    await given;
    const waiting = expect(pool.take(usual, never)).rejects.toThrow("closing");
    await pool[Symbol.asyncDispose]();
    await waiting;
    await expect(pool.take(usual, never)).rejects.toThrow("closing");
  });
});
