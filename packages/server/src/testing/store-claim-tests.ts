import { sql } from "kysely";
import { expect, it } from "vitest";
import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { StoreBench } from "./store-bench.ts";
import { work } from "./store-sql-tests.ts";

const leaseMs = 1_000;

export function claimTests(bench: StoreBench): void {
  it("gives each due row to exactly one of many claimers on two nodes", async () => {
    const { store } = bench;
    await addWork(store, 200);
    const second = await bench.opened.openSecond();
    const claimed = await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const node = index % 2 === 0 ? store : second.store;
        const ids: string[] = [];
        for (
          let rows = await claim(node, `token-${index}`, 7);
          rows.length > 0;
          rows = await claim(node, `token-${index}`, 7)
        )
          ids.push(...rows);
        return ids;
      }),
    );
    // A claimer that skips locked rows may find nothing while others still hold theirs: what is left is claimed again.
    const rest = await claim(store, "rest", 200);
    const all = [...claimed.flat(), ...rest].sort();
    expect(all).toHaveLength(200);
    expect(new Set(all).size).toBe(200);
    await second[Symbol.asyncDispose]();
  });

  it("gives a row to another claimer when its lease ran out, and refuses the first one's token", async () => {
    const { store, clock } = bench;
    await addWork(store, 1);
    expect(await claim(store, "first", 1)).toEqual(["w000"]);
    await clock.advance(leaseMs - 1);
    expect(await claim(store, "second", 1)).toEqual([]);
    await clock.advance(1);
    expect(await claim(store, "second", 1)).toEqual(["w000"]);
    expect(await settle(store, "first")).toEqual({ kind: "refused", index: 0, reason: "rows" });
    expect(await settle(store, "second")).toMatchObject({ kind: "applied" });
    expect(await claim(store, "third", 1)).toEqual([]);
  });
}

async function addWork(store: Store<MainTables>, count: number): Promise<void> {
  const now = await store.nowMs();
  const rows = Array.from({ length: count }, (_, index) =>
    work(`w${String(index).padStart(3, "0")}`, { claimable_at_ms: now, lane: `lane${index % 5}` }),
  );
  await store.apply([{ query: store.db.insertInto("work").values(rows) }]);
}

async function claim(store: Store<MainTables>, token: string, countMax: number): Promise<readonly string[]> {
  const due = store.db
    .selectFrom("work")
    .select("id")
    .where("kind", "=", "test")
    .where("claimable_at_ms", "<=", store.now())
    .orderBy("claimable_at_ms")
    .orderBy("id")
    .limit(countMax);
  const query = store.db
    .with("due", () => (store.claimsSkipLocked ? due.forUpdate().skipLocked() : due))
    .updateTable("work")
    .set({
      lease_token: token,
      claimable_at_ms: sql<number>`${store.now()} + ${leaseMs}`,
      attempt: sql<number>`attempt + 1`,
    })
    .where("id", "in", (eb) => eb.selectFrom("due").select("due.id"))
    .returning("id");
  const applied = await store.apply([{ query }]);
  return applied.kind === "applied" ? (applied.results[0]?.rows ?? []).map((row) => String(row.id)) : [];
}

function settle(store: Store<MainTables>, token: string) {
  const query = store.db.deleteFrom("work").where("id", "=", "w000").where("lease_token", "=", token);
  return store.apply([{ query, expect: 1 }]);
}
