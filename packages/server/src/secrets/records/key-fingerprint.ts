import { type Kysely, sql } from "kysely";
import type { Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";

const fact = "secrets-key-fingerprint";

/** Of the key that sealed what is stored; undefined before the first secret. */
export async function readKeyFingerprint(store: Store<MainTables>): Promise<string | undefined> {
  const row = await store.db.selectFrom("facts").select("value").where("key", "=", fact).executeTakeFirst();
  return row?.value;
}

/**
 * Whether the key of this fingerprint may seal: it is the one that did before, or nothing is sealed. The row stays locked
 * until `tx` has ended, so all nodes seal with one key.
 */
export async function claimKey(
  tx: Kysely<MainTables>,
  fingerprint: string,
  isUsed: (tx: Kysely<MainTables>) => Promise<boolean>,
): Promise<boolean> {
  const { value } = await tx
    .insertInto("facts")
    .values({ key: fact, value: fingerprint })
    .onConflict((conflict) => conflict.column("key").doUpdateSet({ value: sql.ref("facts.value") }))
    .returning("value")
    .executeTakeFirstOrThrow();
  if (value === fingerprint) return true;
  if (await isUsed(tx)) return false;
  await tx.updateTable("facts").set({ value: fingerprint }).where("key", "=", fact).execute();
  return true;
}
