import type { Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";

/** Which of these ids are still work, waiting or leased. */
export async function readUnsettled(store: Store<MainTables>, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await store.db.selectFrom("work").select("id").where("id", "in", ids).execute();
  return new Set(rows.map((row) => row.id));
}
