import { type Kysely, sql } from "kysely";
import type { Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";

const fact = "secrets-key-fingerprint";
/** Present: bytes of others than secrets were sealed, which nobody counts; no other key takes the place of this one. */
const lastingFact = "secrets-key-lasts";

/** Of the key that sealed what is stored; undefined before the first secret. */
export async function readKeyFingerprint(store: Store<MainTables>): Promise<string | undefined> {
  return readFingerprint(store.db);
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

/** As `claimKey`, for good: whatever is sealed with the key later, in whichever row, can be opened. */
export async function claimKeyForGood(
  tx: Kysely<MainTables>,
  fingerprint: string,
  isUsed: (tx: Kysely<MainTables>) => Promise<boolean>,
): Promise<boolean> {
  if (!(await claimKey(tx, fingerprint, isUsed))) return false;
  await tx
    .insertInto("facts")
    .values({ key: lastingFact, value: "yes" })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return true;
}

/** Whether it was the key of this fingerprint. */
export async function isKeyClaimedForGood(db: Kysely<MainTables>, fingerprint: string): Promise<boolean> {
  return (await isKeyLasting(db)) && (await readFingerprint(db)) === fingerprint;
}

/** Whether a key was claimed for good. */
export async function isKeyLasting(db: Kysely<MainTables>): Promise<boolean> {
  return (await db.selectFrom("facts").select("key").where("key", "=", lastingFact).executeTakeFirst()) !== undefined;
}

async function readFingerprint(db: Kysely<MainTables>): Promise<string | undefined> {
  const row = await db.selectFrom("facts").select("value").where("key", "=", fact).executeTakeFirst();
  return row?.value;
}
