import { sql } from "kysely";
import type { Store } from "../../../drivers/store/driver.ts";
import type { MainTables } from "../../../drivers/store/tables.ts";

export interface StoredKey {
  readonly name: string;
  /** The private key, sealed under this name. */
  readonly sealed: Uint8Array;
  /** PEM. */
  readonly publicPart: string;
}

const functionPrefix = "function/";

/** What the key pair of a function is called. */
export function functionKeyName(functionId: string): string {
  return functionPrefix + functionId;
}

export async function readPlatformKey(store: Store<MainTables>, name: string): Promise<StoredKey | undefined> {
  const row = await store.db
    .selectFrom("platform_keys")
    .select(["name", "sealed", "public_part"])
    .where("name", "=", name)
    .executeTakeFirst();
  return row && { name: row.name, sealed: row.sealed, publicPart: row.public_part };
}

/** Keeps it unless there is one of this name; gives back the one that is kept, or none when its function was just deleted. */
export async function keepPlatformKey(
  store: Store<MainTables>,
  { name, sealed, publicPart, createdAtMs }: StoredKey & { readonly createdAtMs: number },
): Promise<StoredKey | undefined> {
  const query = store.db
    .insertInto("platform_keys")
    .values({ name, sealed, public_part: publicPart, created_at_ms: createdAtMs })
    .onConflict((conflict) => conflict.doNothing());
  await store.apply([{ query }]);
  return readPlatformKey(store, name);
}

export async function removeFunctionKeys(store: Store<MainTables>, functionIds: readonly string[]): Promise<void> {
  const query = store.db.deleteFrom("platform_keys").where("name", "in", functionIds.map(functionKeyName));
  await store.apply([{ query }]);
}

/** Removes the keys of functions that are not there any more. */
export async function removeOrphanKeys(store: Store<MainTables>): Promise<void> {
  const id = sql<string>`substr(name, ${sql.lit(functionPrefix.length + 1)})`;
  const query = store.db
    .deleteFrom("platform_keys")
    .where("name", ">=", functionPrefix)
    // The character after the slash.
    .where("name", "<", "function0")
    .where((eb) => eb(id, "not in", eb.selectFrom("functions").select("id")));
  await store.apply([{ query }]);
}
