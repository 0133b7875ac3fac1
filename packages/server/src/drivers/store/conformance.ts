import { type Kysely, sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import { facts, type StoreBench } from "../../testing/store-bench.ts";
import { claimTests } from "../../testing/store-claim-tests.ts";
import { crashTests } from "../../testing/store-crash-tests.ts";
import { rowsTests } from "../../testing/store-rows-tests.ts";
import { portableSqlTests } from "../../testing/store-sql-tests.ts";
import { telemetryTests } from "../../testing/store-telemetry-tests.ts";
import type { TestStore } from "../../testing/stores.ts";
import { isUniqueViolation, type Statement, type Store, transactionMsMax, transactionStatementsMax } from "./driver.ts";
import type { MainTables } from "./tables.ts";

/** What every store keeps to. `test` opens a database of the store that is tested. */
export function storeConformance(name: string, test: TestStore): void {
  describe(`store ${name}`, () => {
    // Set before each test.
    const bench = {
      get store() {
        return this.opened.store;
      },
    } as StoreBench;
    beforeEach(async () => {
      bench.clock = new ManualClock();
      bench.opened = await test.open(bench.clock);
    });
    afterEach(() => bench.opened[Symbol.asyncDispose]());
    describe("apply", () => applyTests(bench));
    describe("inserts from rows", () => rowsTests(bench));
    describe("writers at the same time", () => concurrencyTests(bench));
    describe("db", () => readTests(bench));
    describe("transaction", () => transactionTests(bench));
    describe("limits of a transaction", () => transactionLimitTests(bench));
    describe("hints, time and health", () => surroundingsTests(bench));
    describe("closing", () => closingTests(bench));
    describe("portable SQL", () => portableSqlTests(bench));
    describe("claims", () => claimTests(bench));
    describe("telemetry", () => telemetryTests(bench));
    describe("a killed process", () => crashTests(bench));
  });
}

function applyTests(bench: StoreBench): void {
  it("writes all statements in order and tells what each affected", async () => {
    const { store } = bench;
    const set = store.db.updateTable("facts").set({ value: "2" }).where("key", "in", ["a", "b", "none"]);
    const applied = await store.apply([add(store, "a"), add(store, "b"), { query: set }]);
    expect(applied).toMatchObject({ kind: "applied", results: [{ affected: 1 }, { affected: 1 }, { affected: 2 }] });
    expect(await facts(store)).toEqual({ a: "2", b: "2" });
  });

  it("gives the rows of RETURNING", async () => {
    const { store } = bench;
    const insert = store.db
      .insertInto("facts")
      .values([fact("a"), fact("b")])
      .returning("key");
    const remove = store.db.deleteFrom("facts").where("key", "=", "a").returningAll();
    expect(await store.apply([{ query: insert, expect: 2 }, { query: remove }])).toEqual({
      kind: "applied",
      results: [
        { affected: 2, rows: [{ key: "a" }, { key: "b" }] },
        { affected: 1, rows: [{ key: "a", value: "1" }] },
      ],
    });
  });

  it.each([
    { expect: 1, affects: 0 },
    { expect: 1, affects: 2 },
    { expect: 0, affects: 1 },
    { expect: "some", affects: 0 },
  ] as const)("refuses the whole batch when $affects rows are affected and $expect expected", async (row) => {
    const { store } = bench;
    await store.apply([add(store, "a"), add(store, "b")]);
    const keys = ["a", "b"].slice(0, row.affects);
    const query = store.db
      .updateTable("facts")
      .set({ value: "2" })
      .where("key", "in", ["none", ...keys]);
    const batch: Statement[] = [add(store, "c"), { query, expect: row.expect }, add(store, "d")];
    expect(await store.apply(batch)).toEqual({ kind: "refused", index: 1, reason: "rows" });
    expect(await facts(store)).toEqual({ a: "1", b: "1" });
  });

  it("refuses the whole batch when a row is not unique, by its key or by another column", async () => {
    const { store } = bench;
    await store.apply([add(store, "a"), { query: store.db.insertInto("images").values(image("i1", 1)) }]);
    const sameKey = await store.apply([add(store, "b"), add(store, "a")]);
    expect(sameKey).toEqual({ kind: "refused", index: 1, reason: "unique" });
    const sameSeq = await store.apply([{ query: store.db.insertInto("images").values(image("i2", 1)), expect: 1 }]);
    expect(sameSeq).toEqual({ kind: "refused", index: 0, reason: "unique" });
    const change: Statement = {
      query: store.db.insertInto("changes").values({ seq: 1, kind: "k", id: "i", at_ms: 0 }),
    };
    expect(await store.apply([change, change])).toEqual({ kind: "refused", index: 1, reason: "unique" });
    expect(await facts(store)).toEqual({ a: "1" });
  });

  it("rejects a wrong statement and keeps nothing of its batch, but all of its neighbours in the same tick", async () => {
    const { store } = bench;
    const wrong: Statement = { query: sql`insert into facts (key, value) values (${"w"}, null)`.compile(store.db) };
    const outcomes = await Promise.allSettled([
      store.apply([add(store, "a")]),
      store.apply([add(store, "lost"), wrong]),
      store.apply([add(store, "b"), add(store, "b")]),
      store.apply([add(store, "c")]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(outcomes[2]).toMatchObject({ value: { kind: "refused", index: 1, reason: "unique" } });
    expect(await facts(store)).toEqual({ a: "1", c: "1" });
  });

  it("does nothing for an empty batch", async () => {
    expect(await bench.store.apply([])).toEqual({ kind: "applied", results: [] });
  });
}

function concurrencyTests(bench: StoreBench): void {
  it("acknowledges every one of many plain inserts, and refuses exactly the repeated ones", async () => {
    const { store } = bench;
    const keys = Array.from({ length: 300 }, (_, index) => `k${index % 200}`);
    const outcomes = await Promise.all(keys.map((key) => store.apply([add(store, key)])));
    expect(outcomes.filter(({ kind }) => kind === "applied")).toHaveLength(200);
    expect(Object.keys(await facts(store))).toHaveLength(200);
  });

  it("lets exactly one of a hundred writers win that expect the same version", async () => {
    const { store } = bench;
    const second = await bench.opened.openSecond();
    await store.apply([add(store, "a")]);
    const compete = (node: Store<MainTables>, value: string) =>
      node.apply([
        {
          query: node.db.updateTable("facts").set({ value }).where("key", "=", "a").where("value", "=", "1"),
          expect: 1,
        },
      ]);
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, index) => compete(index % 2 === 0 ? store : second.store, `w${index}`)),
    );
    const winners = outcomes.flatMap(({ kind }, index) => (kind === "applied" ? [`w${index}`] : []));
    expect(winners).toHaveLength(1);
    expect(await facts(store)).toEqual({ a: winners[0] });
    await second[Symbol.asyncDispose]();
  });

  it("survives batches that lock the same rows in opposite order", async () => {
    const { store } = bench;
    await store.apply([add(store, "a", "0"), add(store, "b", "0")]);
    const increment = (key: string): Statement => ({
      query: sql`update facts set value = cast(cast(value as bigint) + 1 as text) where key = ${key}`.compile(store.db),
      expect: 1,
    });
    const batches = Array.from({ length: 24 }, (_, index) => (index % 2 === 0 ? ["a", "b"] : ["b", "a"]));
    const outcomes = await Promise.all(batches.map((keys) => store.apply(keys.map(increment))));
    expect(outcomes.every(({ kind }) => kind === "applied")).toBe(true);
    expect(await facts(store)).toEqual({ a: "24", b: "24" });
  });

  it("runs transactions between batches without losing either", async () => {
    const { store } = bench;
    await store.apply([add(store, "count", "0")]);
    const count = (tx: Kysely<MainTables>) =>
      sql`update facts set value = cast(cast(value as bigint) + 1 as text) where key = ${"count"}`.execute(tx);
    await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        if (index % 10 === 0) await store.transaction(count);
        else await store.apply([add(store, `k${index}`)]);
      }),
    );
    const all = await facts(store);
    expect(all.count).toBe("20");
    expect(Object.keys(all)).toHaveLength(181);
  });
}

function readTests(bench: StoreBench): void {
  it("sees everything that was acknowledged before", async () => {
    const { store } = bench;
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        await store.apply([add(store, `k${index}`)]);
        const found = await store.db.selectFrom("facts").selectAll().where("key", "=", `k${index}`).execute();
        expect(found).toHaveLength(1);
      }),
    );
  });

  it("never sees what is not committed", async () => {
    const { store } = bench;
    const inserted = Promise.withResolvers<void>();
    const commit = Promise.withResolvers<void>();
    const transaction = store.transaction(async (tx) => {
      await tx.insertInto("facts").values(fact("a")).execute();
      inserted.resolve();
      await commit.promise;
    });
    await inserted.promise;
    expect(await facts(store)).toEqual({});
    commit.resolve();
    await transaction;
    expect(await facts(store)).toEqual({ a: "1" });
  });

  it("refuses writes, built or raw", async () => {
    const { store } = bench;
    await expect(store.db.insertInto("facts").values(fact("a")).execute()).rejects.toThrow(/db only reads/);
    await expect(sql`delete from facts`.execute(store.db)).rejects.toThrow(/db only reads/);
    await expect(store.db.transaction().execute(async () => {})).rejects.toThrow(/use Store.transaction/);
    expect(await facts(store)).toEqual({});
  });
}

function transactionTests(bench: StoreBench): void {
  it("commits what its work wrote and returns what it returned", async () => {
    const { store } = bench;
    const value = await store.transaction(async (tx) => {
      await tx.insertInto("facts").values(fact("a", "7")).execute();
      const updated = await tx.updateTable("facts").set({ value: "8" }).where("key", "=", "a").executeTakeFirst();
      expect(updated.numUpdatedRows).toBe(1n);
      return (await tx.selectFrom("facts").select("value").executeTakeFirstOrThrow()).value;
    });
    expect(value).toBe("8");
    expect(await facts(store)).toEqual({ a: "8" });
  });

  it("rolls back when its work throws, and throws the same", async () => {
    const { store } = bench;
    const reason = new Error("changed my mind");
    const failing = store.transaction(async (tx) => {
      await tx.insertInto("facts").values(fact("a")).execute();
      throw reason;
    });
    await expect(failing).rejects.toBe(reason);
    expect(await facts(store)).toEqual({});
  });

  it("throws a recognisable violation of uniqueness", async () => {
    const { store } = bench;
    await store.apply([add(store, "a")]);
    const failing = store.transaction((tx) => tx.insertInto("facts").values(fact("a")).execute());
    await expect(failing).rejects.toSatisfy(isUniqueViolation);
  });

  it("keeps nothing after a statement failed, even when its work caught the error", async () => {
    const { store } = bench;
    await store.apply([add(store, "a")]);
    const catching = store.transaction(async (tx) => {
      await tx.insertInto("facts").values(fact("b")).execute();
      await tx
        .insertInto("facts")
        .values(fact("a"))
        .execute()
        .catch(() => undefined);
    });
    await expect(catching).rejects.toSatisfy(isUniqueViolation);
    expect(await facts(store)).toEqual({ a: "1" });
  });

  it("refuses apply, db and another transaction inside, where they would wait for themselves", async () => {
    const { store } = bench;
    const inside = (misuse: (tx: Kysely<MainTables>) => Promise<unknown>) =>
      store.transaction(async (tx) => misuse(tx));
    await expect(inside(() => store.apply([add(store, "a")]))).rejects.toThrow(/inside of transaction/);
    await expect(inside(() => facts(store))).rejects.toThrow(/inside of transaction/);
    await expect(inside(() => store.transaction(async () => {}))).rejects.toThrow(/inside of transaction/);
    await expect(inside((tx) => tx.transaction().execute(async () => {}))).rejects.toThrow(/use Store.transaction/);
    expect(await store.apply([add(store, "a")])).toMatchObject({ kind: "applied" });
  });
}

function transactionLimitTests(bench: StoreBench): void {
  it("is rolled back when it takes too long, and its late statements are refused", async () => {
    const { store, clock } = bench;
    const inserted = Promise.withResolvers<void>();
    const late = Promise.withResolvers<void>();
    const lateStatement = Promise.withResolvers<unknown>();
    const slow = store.transaction(async (tx) => {
      await tx.insertInto("facts").values(fact("a")).execute();
      inserted.resolve();
      await late.promise;
      await tx.insertInto("facts").values(fact("b")).execute().catch(lateStatement.resolve);
    });
    const rejected = expect(slow).rejects.toMatchObject({ code: "store-unavailable" });
    await inserted.promise;
    await clock.advance(transactionMsMax);
    await rejected;
    late.resolve();
    expect(await lateStatement.promise).toMatchObject({ code: "store-unavailable" });
    expect(await store.apply([add(store, "c")])).toMatchObject({ kind: "applied" });
    expect(await facts(store)).toEqual({ c: "1" });
  });

  it("has a limit of statements", async () => {
    const { store } = bench;
    const write = (count: number) =>
      store.transaction(async (tx) => {
        for (let index = 0; index < count; index++)
          await tx
            .insertInto("facts")
            .values(fact(`${count}-${index}`))
            .execute();
      });
    await write(transactionStatementsMax);
    await expect(write(transactionStatementsMax + 1)).rejects.toThrow(/at most 16 statements/);
    expect(Object.keys(await facts(store))).toHaveLength(transactionStatementsMax);
  });
}

function surroundingsTests(bench: StoreBench): void {
  it("carries a hint to the listeners of every node, after the commit that was under way", async () => {
    const { store } = bench;
    const second = await bench.opened.openSecond();
    const heard = [store, second.store].map((node) => {
      const hint = Promise.withResolvers<string | undefined>();
      const read = () => void facts(node).then((found) => hint.resolve(found.a));
      return { subscription: node.onHint("facts", read), hint: hint.promise };
    });
    const written = store.apply([add(store, "a")]);
    store.hint("facts");
    expect(await Promise.all(heard.map(({ hint }) => hint))).toEqual(["1", "1"]);
    await written;
    for (const { subscription } of heard) subscription[Symbol.dispose]();
    await second[Symbol.asyncDispose]();
  });

  it("lets the listener of a hint that was given inside of a transaction write", async () => {
    const { store } = bench;
    const written = Promise.withResolvers<unknown>();
    using _listening = store.onHint(
      "facts",
      () => void store.apply([add(store, "b")]).then(written.resolve, written.reject),
    );
    await store.transaction(async (tx) => {
      await tx.insertInto("facts").values(fact("a")).execute();
      store.hint("facts");
    });
    await written.promise;
    expect(await facts(store)).toEqual({ a: "1", b: "1" });
  });

  it("calls no listener of another channel and none that has gone", async () => {
    const { store } = bench;
    const calls: string[] = [];
    using _other = store.onHint("other", () => calls.push("other"));
    store.onHint("facts", () => calls.push("gone"))[Symbol.dispose]();
    const done = Promise.withResolvers<void>();
    using _listening = store.onHint("facts", done.resolve);
    store.hint("facts");
    await done.promise;
    expect(calls).toEqual([]);
  });

  it("judges by the time of its clock, in queries and outside", async () => {
    const { store, clock } = bench;
    await clock.advance(1234);
    await store.apply([
      { query: store.db.insertInto("nodes").values({ id: "n", started_at_ms: store.now(), seen_at_ms: 0 }) },
    ]);
    const row = await store.db
      .selectFrom("nodes")
      .select(["started_at_ms", store.now().as("now")])
      .executeTakeFirst();
    expect(row).toEqual({ started_at_ms: clock.nowMs(), now: clock.nowMs() });
    expect(await store.nowMs()).toBe(clock.nowMs());
  });

  it("tells the bytes it takes, and that it can be written to", async () => {
    const { bytes, isWritable } = await bench.store.health();
    expect(bytes).toBeGreaterThan(10_000);
    expect(isWritable).toBe(true);
  });
}

function closingTests(bench: StoreBench): void {
  it("finishes what was begun, then answers that it is unavailable", async () => {
    const { store } = bench;
    const begun = [
      store.apply([add(store, "a")]),
      store.transaction((tx) => tx.insertInto("facts").values(fact("b")).execute()),
    ];
    await Promise.all([store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()]);
    await Promise.all(begun);
    await expect(store.apply([add(store, "c")])).rejects.toMatchObject({ code: "store-unavailable" });
    await expect(facts(store)).rejects.toMatchObject({ code: "store-unavailable" });
    bench.opened = await bench.opened.reopen();
    expect(await facts(bench.store)).toEqual({ a: "1", b: "1" });
  });
}

function add(store: Store<MainTables>, key: string, value = "1"): Statement {
  return { query: store.db.insertInto("facts").values(fact(key, value)), expect: 1 };
}

function fact(key: string, value = "1"): MainTables["facts"] {
  return { key, value };
}

function image(name: string, seq: number): MainTables["images"] {
  return { function_id: "f", image: name, seq, created_at_ms: 0 };
}
