import { expect, it } from "vitest";
import { type ColumnType, RowBuffer, type Statement, type Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import { facts, type StoreBench } from "./store-bench.ts";

/** Inserts whose rows travel beside them. */
export function rowsTests(bench: StoreBench): void {
  it("writes every kind of value of many rows, and tells how many rows", async () => {
    const { telemetry } = bench.opened;
    const rows = Array.from({ length: 1_500 }, (_, index) => ({
      id: `${index}`.padStart(6, "0"),
      at_ms: index % 3 === 0 ? Number.MIN_SAFE_INTEGER + index : Number.MAX_SAFE_INTEGER - index,
      call_id: index % 2 === 0 ? null : `"é, {\\} '\u{1f600}' NULL ${index}`,
      text: Uint8Array.of(0, index % 256, 255).subarray(index % 4),
    }));
    const columns: readonly ColumnType[] = ["text", "integer", "text", "text", "text", "text", "blob"];
    const buffer = new RowBuffer(columns);
    for (const { id, at_ms, call_id, text } of rows) buffer.add([id, at_ms, "", "f", call_id, "stdout", text]);
    const insert = telemetry.db
      .insertInto("log_lines")
      .columns(["id", "at_ms", "application_id", "function_id", "call_id", "stream", "text"])
      .expression(telemetry.rowsOf(columns));
    const applied = await telemetry.apply([{ query: insert, rows: buffer.rows(), expect: 1_500 }]);
    expect(applied).toEqual({ kind: "applied", results: [{ affected: 1_500, rows: [] }] });
    const found = await telemetry.db
      .selectFrom("log_lines")
      .select(["id", "at_ms", "application_id", "call_id", "text"])
      .orderBy("id")
      .execute();
    expect(found).toEqual(rows.map((row) => ({ ...row, application_id: "" })));
  });

  it("keeps integers integers, whatever computes with them later", async () => {
    const { store } = bench;
    await store.apply([images(store, [["a", 7]])]);
    const half = store.db
      .selectFrom("images")
      .select((eb) => eb(eb.ref("seq"), "/", eb.cast<number>(eb.val(2), "bigint")).as("half"));
    expect(await half.execute()).toEqual([{ half: 3 }]);
  });

  it("takes the rows that were added before they were taken, and can be added to after", async () => {
    const { store } = bench;
    const buffer = new RowBuffer(["text", "text"]);
    buffer.add(["a", "1"]);
    const first = buffer.rows();
    buffer.add(["b", "2"]);
    await store.apply([factsFrom(store, first)]);
    expect(await facts(store)).toEqual({ a: "1" });
    expect(
      await store.apply([{ ...factsFrom(store, new RowBuffer(["text", "text"]).rows()), expect: 0 }]),
    ).toMatchObject({ kind: "applied" });
    expect(await store.apply([factsFrom(store, buffer.rows())])).toEqual({
      kind: "refused",
      index: 0,
      reason: "unique",
    });
    expect(await facts(store)).toEqual({ a: "1" });
  });

  it("changes rows that are there already, and counts those that it wrote", async () => {
    const { store } = bench;
    await store.apply([
      images(store, [
        ["a", 1],
        ["b", 5],
      ]),
    ]);
    const newer = images(store, [
      ["a", 2],
      ["b", 3],
      ["c", 4],
    ]);
    expect(await store.apply([{ ...newer, expect: 1 }])).toEqual({ kind: "refused", index: 0, reason: "rows" });
    expect(await store.apply([newer])).toMatchObject({ results: [{ affected: 2 }] });
    const found = await store.db.selectFrom("images").select(["image", "seq"]).orderBy("image").execute();
    expect(found).toEqual([
      { image: "a", seq: 2 },
      { image: "b", seq: 5 },
      { image: "c", seq: 4 },
    ]);
  });

  it.each([
    ["U+0000 in text", "a\u0000"],
    ["half a surrogate pair", "a\ud800"],
    ["a fraction", 0.5],
    ["an integer beyond ±2^53", 2 ** 53],
    ["NaN", Number.NaN],
    ["bytes as text", Uint8Array.of(1)],
  ])("refuses %s before it is sent, and keeps the rows before and after", async (_, wrong) => {
    const { store } = bench;
    const buffer = new RowBuffer(["text", "text"]);
    buffer.add(["a", "1"]);
    expect(() => buffer.add(["b", wrong])).toThrow();
    expect(() => buffer.add(["b"])).toThrow(/each column/);
    buffer.add(["c", "3"]);
    await store.apply([factsFrom(store, buffer.rows())]);
    expect(await facts(store)).toEqual({ a: "1", c: "3" });
  });
}

function factsFrom(store: Store<MainTables>, rows: ReturnType<RowBuffer["rows"]>): Statement {
  return { query: store.db.insertInto("facts").columns(["key", "value"]).expression(store.rowsOf(rows.columns)), rows };
}

/** Keeps the greater `seq` of an image. */
function images(store: Store<MainTables>, rows: readonly (readonly [string, number])[]): Statement {
  const columns: readonly ColumnType[] = ["text", "text", "integer", "integer"];
  const buffer = new RowBuffer(columns);
  for (const [image, seq] of rows) buffer.add(["f", image, seq, 0]);
  const query = store.db
    .insertInto("images")
    .columns(["function_id", "image", "seq", "created_at_ms"])
    .expression(store.rowsOf(columns))
    .onConflict((conflict) =>
      conflict
        .columns(["function_id", "image"])
        .doUpdateSet((eb) => ({ seq: eb.ref("excluded.seq") }))
        .whereRef("excluded.seq", ">", "images.seq"),
    );
  return { query, rows: buffer.rows() };
}
