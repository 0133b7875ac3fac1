import { sql } from "kysely";
import { expect, it } from "vitest";
import type { StoreBench } from "./store-bench.ts";

// The SQL that both stores answer alike. What is not tested here is not portable.

export function portableSqlTests(bench: StoreBench): void {
  textTests(bench);
  valueTests(bench);
  queryTests(bench);
}

function textTests(bench: StoreBench): void {
  it("orders and compares text by its bytes", async () => {
    const keys = [
      "",
      "A",
      "Z",
      "a",
      "a\u0001",
      "aa",
      "z",
      "~",
      "\u00e9",
      "e\u0301",
      "\uffee",
      "\u{1f4f7}",
      "\u{10ffff}",
    ];
    await insertFacts(bench, keys);
    const rows = await bench.store.db.selectFrom("facts").select("key").orderBy("key").execute();
    const byBytes = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(rows.map(({ key }) => key)).toEqual(byBytes);
  });

  it("finds a prefix as a range and pages through it by key", async () => {
    const { db } = bench.store;
    await insertFacts(bench, ["p", "p%", "p_1", "p1", "p2", "p\u{10ffff}", "q", "P1"]);
    const pages: string[][] = [];
    for (let after = ""; ; ) {
      const range = db.selectFrom("facts").select("key").where("key", ">=", "p").where("key", "<", "q");
      const rows = await range.where("key", ">", after).orderBy("key").limit(2).execute();
      if (rows.length === 0) break;
      pages.push(rows.map(({ key }) => key));
      after = rows.at(-1)?.key ?? "";
    }
    expect(pages).toEqual([
      ["p", "p%"],
      ["p1", "p2"],
      ["p_1", "p\u{10ffff}"],
    ]);
  });

  it.each([
    ["U+0000", "a\u0000b", /U\+0000/],
    ["half of a surrogate pair", "a\ud800", /surrogate/],
  ])("refuses text with %s, which one of the databases would refuse or change", async (_, text, reason) => {
    const { store } = bench;
    const query = store.db.insertInto("facts").values({ key: "a", value: text });
    await expect(store.apply([{ query }])).rejects.toThrow(reason);
    await expect(
      store.transaction((tx) => tx.insertInto("facts").values({ key: "a", value: text }).execute()),
    ).rejects.toThrow(reason);
    await expect(store.db.selectFrom("facts").select("key").where("key", "=", text).execute()).rejects.toThrow(reason);
  });

  it("keeps any bytes in a blob, and tells empty from absent", async () => {
    const { store } = bench;
    const payloads = [new Uint8Array(), Uint8Array.from([0, 255, 0, 128]), new Uint8Array(1_048_576).fill(7), null];
    const rows = payloads.map((payload, index) => work(`w${index}`, { payload }));
    await store.apply([{ query: store.db.insertInto("work").values(rows), expect: 4 }]);
    const found = await store.db.selectFrom("work").select("payload").orderBy("id").execute();
    expect(found.map(({ payload }) => payload)).toEqual(payloads);
    expect(found[0]?.payload?.constructor).toBe(Uint8Array);
  });

  it("takes a view of a larger buffer as its own bytes", async () => {
    const { store } = bench;
    const view = Buffer.from("before payload after").subarray(7, 14);
    await store.apply([{ query: store.db.insertInto("work").values(work("w", { payload: view })) }]);
    const row = await store.db.selectFrom("work").select("payload").executeTakeFirstOrThrow();
    expect(Buffer.from(row.payload ?? []).toString()).toBe("payload");
  });
}

function valueTests(bench: StoreBench): void {
  it("keeps integers up to ±2^53 exactly", async () => {
    const { store } = bench;
    const numbers = [0, -1, 1_795_560_077_672, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
    const rows = numbers.map((due_at_ms, index) => work(`w${index}`, { due_at_ms }));
    await store.apply([{ query: store.db.insertInto("work").values(rows) }]);
    const found = await store.db.selectFrom("work").select("due_at_ms").orderBy("id").execute();
    expect(found.map(({ due_at_ms }) => due_at_ms)).toEqual(numbers);
  });

  it("refuses to read an integer that a number cannot hold", async () => {
    const { store } = bench;
    await expect(sql`select cast('9007199254740993' as bigint) as large`.execute(store.db)).rejects.toThrow();
  });

  it.each([
    ["an integer beyond 2^53", 2 ** 53],
    ["a bigint beyond 2^53", 2n ** 60n],
    ["a fraction", 1.5],
    ["no number", Number.NaN],
    ["undefined", undefined],
    ["a boolean", true],
    ["a date", new Date(0)],
    ["an object", { a: 1 }],
    ["a list", [1]],
  ])("refuses %s as a parameter before anything is written", async (_, value) => {
    const { store } = bench;
    const bad = sql`update work set due_at_ms = ${value}`.compile(store.db);
    await insertFacts(bench, ["a"]);
    const remove = store.db.deleteFrom("facts");
    await expect(store.apply([{ query: remove }, { query: bad }])).rejects.toThrow(/parameter 1 of: update work/);
    expect(await store.db.selectFrom("facts").select("key").execute()).toHaveLength(1);
  });

  it("gives counts, sums and comparisons as numbers, and divides whole numbers", async () => {
    const { store } = bench;
    await store.apply([
      { query: store.db.insertInto("work").values([work("a", { due_at_ms: 3 }), work("b", { due_at_ms: 4 })]) },
    ]);
    const { rows } = await sql`select count(*) as count, sum(due_at_ms) as sum, min(due_at_ms) as min,
      sum(due_at_ms) > ${6} as larger, sum(due_at_ms) / ${2} as half, exists(select 1 from facts) as some,
      cast(${7} as bigint) / cast(${2} as bigint) as quotient from work`.execute(store.db);
    expect(rows).toEqual([{ count: 2, sum: 7, min: 3, larger: 1, half: expect.anything(), some: 0, quotient: 3 }]);
  });
}

function queryTests(bench: StoreBench): void {
  it("inserts or updates with the excluded row", async () => {
    const { store } = bench;
    const upsert = (value: string) =>
      store.db
        .insertInto("facts")
        .values([{ key: "a", value }])
        .onConflict((on) => on.column("key").doUpdateSet((eb) => ({ value: eb.ref("excluded.value") })));
    await store.apply([
      { query: upsert("1"), expect: 1 },
      { query: upsert("2"), expect: 1 },
    ]);
    const ignored = store.db
      .insertInto("facts")
      .values({ key: "a", value: "3" })
      .onConflict((on) => on.doNothing());
    expect(await store.apply([{ query: ignored }])).toMatchObject({ results: [{ affected: 0 }] });
    expect(await store.db.selectFrom("facts").selectAll().execute()).toEqual([{ key: "a", value: "2" }]);
  });

  it("counts rows that an update matched, changed or not", async () => {
    await insertFacts(bench, ["a", "b"]);
    const same = bench.store.db.updateTable("facts").set({ value: "1" });
    expect(await bench.store.apply([{ query: same, expect: 2 }])).toMatchObject({ kind: "applied" });
  });

  it("compares pairs, deletes a chosen few, and puts nulls where it is told", async () => {
    const { store } = bench;
    const rows = [1, 1, 2].map((due_at_ms, index) =>
      work(`w${index}`, { due_at_ms, cause_id: index === 1 ? "c" : null }),
    );
    await store.apply([{ query: store.db.insertInto("work").values(rows) }]);
    const after = await sql<{
      id: string;
    }>`select id from work where (due_at_ms, id) > (${1}, ${"w0"}) order by due_at_ms, id`.execute(store.db);
    expect(after.rows.map(({ id }) => id)).toEqual(["w1", "w2"]);
    const last = await sql<{ id: string }>`select id from work order by cause_id nulls last, id desc`.execute(store.db);
    expect(last.rows.map(({ id }) => id)).toEqual(["w1", "w2", "w0"]);
    const chosen = store.db.selectFrom("work").select("id").orderBy("due_at_ms").orderBy("id").limit(2);
    await store.apply([{ query: store.db.deleteFrom("work").where("id", "in", chosen), expect: 2 }]);
    expect(await store.db.selectFrom("work").select("id").execute()).toEqual([{ id: "w2" }]);
  });

  it("inserts what it selects and walks recursively", async () => {
    const { store } = bench;
    await insertFacts(bench, ["a", "b"]);
    const copy = store.db
      .insertInto("facts")
      .columns(["key", "value"])
      .expression(store.db.selectFrom("facts").select([sql<string>`key || ${"2"}`.as("key"), "value"]));
    await store.apply([{ query: copy, expect: 2 }]);
    const { rows } = await sql<{ key: string }>`with recursive walk (key) as (
      select * from (select key from facts order by key limit 1) as first
      union all select (select facts.key from facts where facts.key > walk.key order by facts.key limit 1) from walk
      where walk.key is not null) select key from walk where key is not null`.execute(store.db);
    expect(rows.map(({ key }) => key)).toEqual(["a", "a2", "b", "b2"]);
  });

  it("takes some thousand rows in one statement", async () => {
    const { store } = bench;
    const rows = Array.from({ length: 5_000 }, (_, index) => ({ key: `k${index}`, value: "v" }));
    expect(await store.apply([{ query: store.db.insertInto("facts").values(rows), expect: 5_000 }])).toMatchObject({
      kind: "applied",
    });
  });
}

async function insertFacts({ store }: StoreBench, keys: readonly string[]): Promise<void> {
  await store.apply([{ query: store.db.insertInto("facts").values(keys.map((key) => ({ key, value: "1" }))) }]);
}

/** A row of `work` that waits. */
export function work<Row extends object>(id: string, row: Row) {
  return {
    id,
    kind: "test",
    lane: "lane",
    due_at_ms: 0,
    claimable_at_ms: 0,
    accepted_at_ms: 0,
    expires_at_ms: 0,
    attempt: 0,
    failures: 0,
    attempts_max: 1,
    details: "{}",
    ...row,
  };
}
