import { type Kysely, sql } from "kysely";
import type { Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";
import type { Change } from "../changes.ts";

const seqFact = "changes-seq";

/**
 * Appends a change under the next number. The row that holds the number is locked until the transaction ends, so
 * numbers are given in the order of commits and without gaps: who has seen one has seen all before it.
 */
export async function insertChange(
  tx: Kysely<MainTables>,
  change: { readonly kind: string; readonly id: string; readonly atMs: number },
): Promise<number> {
  const { value } = await tx
    .insertInto("facts")
    .values({ key: seqFact, value: "1" })
    .onConflict((conflict) =>
      conflict.column("key").doUpdateSet({ value: sql<string>`cast(cast(facts.value as bigint) + 1 as text)` }),
    )
    .returning("value")
    .executeTakeFirstOrThrow();
  const seq = Number(value);
  await tx.insertInto("changes").values({ seq, kind: change.kind, id: change.id, at_ms: change.atMs }).execute();
  return seq;
}

/** The number of the newest change; 0 before the first. */
export async function readNewestSeq(store: Store<MainTables>): Promise<number> {
  const fact = await store.db.selectFrom("facts").select("value").where("key", "=", seqFact).executeTakeFirst();
  return fact === undefined ? 0 : Number(fact.value);
}

/** Changes after `seq`, oldest first. */
export async function readChanges(
  store: Store<MainTables>,
  after: { readonly seq: number; readonly countMax: number },
): Promise<readonly Change[]> {
  return store.db
    .selectFrom("changes")
    .select(["seq", "kind", "id"])
    .where("seq", ">", after.seq)
    .orderBy("seq")
    .limit(after.countMax)
    .execute();
}

/** Removes all but the newest `keptMax` changes. */
export async function trimChanges(store: Store<MainTables>, keptMax: number): Promise<void> {
  const newest = await readNewestSeq(store);
  if (newest <= keptMax) return;
  await store.apply([{ query: store.db.deleteFrom("changes").where("seq", "<=", newest - keptMax) }]);
}
