import type { Store } from "./drivers/store/driver.ts";
import type { MainTables } from "./drivers/store/tables.ts";

/**
 * Which of these payloads a row of the main store names, in one statement: work that dies moves its payload from one
 * table to another, and two looks could miss it in both.
 */
export async function namedInMain(store: Store<MainTables>, ids: readonly string[]): Promise<readonly string[]> {
  if (ids.length === 0) return [];
  const rows = await store.db
    .selectFrom("work")
    .select("payload_id")
    .where("payload_id", "in", ids)
    .union(store.db.selectFrom("dead_letters").select("payload_id").where("payload_id", "in", ids))
    .union(store.db.selectFrom("bundles").select("payload_id").where("payload_id", "in", ids))
    .execute();
  return rows.flatMap(({ payload_id }) => (payload_id === null ? [] : [payload_id]));
}
