import { Buffer } from "node:buffer";
import type { Store } from "./drivers/store/driver.ts";
import type { MainTables } from "./drivers/store/tables.ts";
import { assert } from "./kernel/assert.ts";

/**
 * Reads a fact of the whole installation, or makes it when it is read for the first time. Of nodes that make it at the
 * same moment one wins, and all get the winner's.
 */
export async function readOrMakeFact(store: Store<MainTables>, key: string, make: () => string): Promise<string> {
  const known = await readFact(store, key);
  if (known !== undefined) return known;
  const insert = store.db
    .insertInto("facts")
    .values({ key, value: make() })
    .onConflict((conflict) => conflict.doNothing());
  await store.apply([{ query: insert }]);
  const made = await readFact(store, key);
  assert(made !== undefined, "a fact that was just written can be read");
  return made;
}

/** 32 bytes that sign the context of calls; the same on every node and after a restart. */
export async function readChainKey(store: Store<MainTables>, make: () => Uint8Array): Promise<Uint8Array> {
  const text = await readOrMakeFact(store, "call-chain-key", () => Buffer.from(make()).toString("base64url"));
  return Buffer.from(text, "base64url");
}

async function readFact(store: Store<MainTables>, key: string): Promise<string | undefined> {
  const row = await store.db.selectFrom("facts").select("value").where("key", "=", key).executeTakeFirst();
  return row?.value;
}
