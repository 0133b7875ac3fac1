import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { ManualClock } from "./manual-clock.ts";
import type { OpenTestStore } from "./stores.ts";

/** What the tests of the store's conformance suite stand on: a fresh database for each. */
export interface StoreBench {
  opened: OpenTestStore;
  clock: ManualClock;
  readonly store: Store<MainTables>;
}

/** All rows of `facts`, a table of keys and values. */
export async function facts(store: Store<MainTables>): Promise<Record<string, string>> {
  const rows = await store.db.selectFrom("facts").selectAll().orderBy("key").execute();
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}
