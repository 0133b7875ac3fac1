import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MainTables } from "../drivers/store/tables.ts";
import { type InterruptedStore, interruptible } from "../testing/interrupted-store.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { type OpenTestStore, testStores } from "../testing/stores.ts";
import { HeldKind, openTestQueue, type StartedRun, settled, type TestQueue, workIds } from "../testing/test-queue.ts";
import type { Work, WorkOutcome } from "./work.ts";

const problem = { code: "function-failed", sentence: "It failed.", hint: "" };
const capacity = 2;

/** What happens, in any order: work comes, ends one way or another, time passes, nodes are killed and started again. */
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("add"),
      lane: fc.nat(2),
      dueInMs: fc.constantFrom(0, 0, 700),
      attemptsMax: fc.integer({ min: 1, max: 3 }),
      isLeft: fc.boolean(),
      node: fc.nat(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("end"),
      run: fc.nat(),
      how: fc.constantFrom("done", "failed", "refused", "dead"),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("pass"), ms: fc.integer({ min: 1, max: 3_000 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("kill"),
      node: fc.nat(),
      run: fc.nat(),
      moment: fc.constantFrom("idle", "ending", "adding"),
      ticks: fc.nat(24),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

describe.each(testStores())("work under any schedule on $kind", (testStore) => {
  it("is never lost, done once, and dead only when it may be", { timeout: 120_000 }, async () => {
    const clock = new ManualClock();
    await using opened = await testStore.open(clock);
    await using second = await opened.openSecond();
    // An embedded store has one node.
    const stores = testStore.kind === "embedded" ? [opened] : [opened, second];
    let rounds = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 45 }), async (steps) => {
        const cluster = new Cluster(opened, stores, clock, rounds++);
        await cluster.start();
        for (const one of steps) await cluster.take(one);
        await cluster.finish();
        await cluster.verify();
        await cluster.stop();
      }),
      { numRuns: 20 },
    );
  });
});

interface Node {
  readonly interrupted: InterruptedStore<MainTables>;
  readonly test: TestQueue;
  readonly kind: HeldKind;
}

/** The nodes, and the model: what was acknowledged and how the test ended the runs. */
class Cluster {
  readonly #opened: OpenTestStore;
  readonly #stores: readonly OpenTestStore[];
  readonly #clock: ManualClock;
  readonly #round: number;
  readonly #acknowledged = new Map<string, { readonly attemptsMax: number }>();
  readonly #ends = new Map<string, WorkOutcome["kind"][]>();
  readonly #runs: { readonly run: StartedRun; readonly node: Node; isEnded: boolean }[] = [];
  #nodes: Node[] = [];
  #seed = 0;

  constructor(opened: OpenTestStore, stores: readonly OpenTestStore[], clock: ManualClock, round: number) {
    this.#opened = opened;
    this.#stores = stores;
    this.#clock = clock;
    this.#round = round;
  }

  async start(): Promise<void> {
    const { db } = this.#opened.store;
    await this.#opened.store.apply([{ query: db.deleteFrom("dead_letters") }, { query: db.deleteFrom("facts") }]);
    this.#nodes = await Promise.all(this.#stores.map((store) => this.#startNode(store)));
  }

  async take(one: Step): Promise<void> {
    switch (one.kind) {
      case "add":
        await this.#add(one);
        break;
      case "end":
        this.#end(one.run, one.how);
        break;
      case "pass":
        await this.#clock.advance(one.ms);
        break;
      case "kill":
        await this.#kill(one);
        break;
      default:
        return one satisfies never;
    }
    await settled(this.#opened);
    this.#notice();
  }

  /** From now on everything ends well. */
  async finish(): Promise<void> {
    for (let second = 0; second < 120 && (await workIds(this.#opened)).length > 0; second++) {
      for (let run = 0; this.#open().length > 0 && run < 100; run++) this.#end(0, "done");
      await this.#clock.advance(1_000);
      await settled(this.#opened);
      this.#notice();
    }
    expect(await workIds(this.#opened)).toEqual([]);
  }

  async verify(): Promise<void> {
    const facts = await this.#opened.store.db.selectFrom("facts").select(["key", "value"]).execute();
    const said = (value: string) =>
      facts
        .filter((fact) => fact.value === value)
        .map((fact) => fact.key)
        .sort();
    const letters = await this.#opened.store.db.selectFrom("dead_letters").select("id").execute();
    const dead = letters.map((letter) => letter.id).sort();
    // Written together with the row that went, so each is as true as the other.
    expect(said("dead")).toEqual(dead);
    expect([...said("done"), ...dead].sort()).toEqual([...this.#acknowledged.keys()].sort());
    for (const id of dead) {
      const ends = this.#ends.get(id) ?? [];
      const failures = ends.filter((end) => end === "failed").length;
      expect(ends.includes("dead") || failures >= (this.#acknowledged.get(id)?.attemptsMax ?? 0)).toBe(true);
    }
    for (const id of this.#acknowledged.keys()) {
      const attempts = this.#runs.filter(({ run }) => run.work.id === id).map(({ run }) => run.work.attempt);
      expect(attempts).toEqual([...new Set(attempts)].sort((a, b) => a - b));
    }
  }

  async stop(): Promise<void> {
    for (const node of this.#nodes) await node.test[Symbol.asyncDispose]();
  }

  async #startNode(store: OpenTestStore): Promise<Node> {
    const interrupted = interruptible(store.store);
    const seed = this.#round * 1_000 + this.#seed++;
    const test = openTestQueue(interrupted.store, this.#clock, {
      seed,
      placesMax: 5,
      backoff: { baseMs: 500, maxMs: 2_000 },
    });
    const { db } = this.#opened.store;
    const onDead = (work: Work) => [
      { query: db.insertInto("facts").values({ key: work.id, value: "dead" }), expect: 1 },
    ];
    const kind = Object.assign(new HeldKind({ capacity }), { onDead });
    test.queue.register(kind);
    await test.queue.start();
    return { interrupted, test, kind };
  }

  async #add(one: Extract<Step, { kind: "add" }>): Promise<void> {
    const node = this.#node(one.node);
    const { lane, attemptsMax, dueInMs } = one;
    const item = node.test.work({ lane: `lane-${lane}`, attemptsMax, dueAtMs: this.#clock.nowMs() + dueInMs });
    if (one.isLeft) {
      // Committed, and the node forgot to wake anybody.
      await this.#opened.store.apply(node.test.queue.adding(item));
    } else await node.test.queue.add(item);
    this.#acknowledged.set(item.id, item);
  }

  #end(which: number, how: WorkOutcome["kind"]): void {
    const open = this.#open();
    const chosen = open[which % Math.max(1, open.length)];
    if (chosen === undefined) return;
    chosen.isEnded = true;
    const { id } = chosen.run.work;
    this.#ends.set(id, [...(this.#ends.get(id) ?? []), how]);
    chosen.run.end(this.#outcome(id, how));
  }

  #outcome(id: string, how: WorkOutcome["kind"]): WorkOutcome {
    const done = { query: this.#opened.store.db.insertInto("facts").values({ key: id, value: "done" }), expect: 1 };
    switch (how) {
      case "done":
        return { kind: "done", statements: [done] };
      case "refused":
        return { kind: "refused", problem, delayMs: 300 };
      default:
        return { kind: how, problem };
    }
  }

  /** At any moment: while nothing happens, while an outcome is being written, while an addition is. */
  async #kill(one: Extract<Step, { kind: "kill" }>): Promise<void> {
    const index = one.node % this.#nodes.length;
    const node = this.#node(index);
    if (one.moment === "ending") this.#end(one.run, "done");
    const item = node.test.work({ lane: "lane-0" });
    const adding = one.moment === "adding" ? node.test.queue.add(item) : Promise.reject(new Error("nothing is added"));
    const isAdded = adding.then(
      () => true,
      () => false,
    );
    // So far the write has come before the end.
    for (let tick = 0; tick < one.ticks; tick++) await undefined;
    node.interrupted.cut();
    if (await isAdded) this.#acknowledged.set(item.id, item);
    await node.test[Symbol.asyncDispose]();
    const store = this.#stores[index];
    if (store !== undefined) this.#nodes[index] = await this.#startNode(store);
  }

  #node(index: number): Node {
    const node = this.#nodes[index % this.#nodes.length];
    if (node === undefined) throw new Error("there is always a node");
    return node;
  }

  #open() {
    this.#notice();
    return this.#runs.filter(({ run, node, isEnded }) => !isEnded && !run.signal.aborted && this.#nodes.includes(node));
  }

  /** Takes down what was started since, and that no node started more than a lane can. */
  #notice(): void {
    for (const node of this.#nodes) {
      const known = this.#runs.filter((one) => one.node === node).length;
      for (const run of node.kind.started.slice(known)) this.#runs.push({ run, node, isEnded: false });
      for (const lane of ["lane-0", "lane-1", "lane-2"]) expect(node.kind.admit(lane)).toBeGreaterThanOrEqual(0);
    }
  }
}
