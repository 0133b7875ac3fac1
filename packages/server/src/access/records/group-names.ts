import { Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { MainTables } from "../../drivers/store/tables.ts";

/** Groups and dynamic groups share their names. Throws `group-exists`. */
export async function checkGroupName(tx: Kysely<MainTables>, name: string): Promise<void> {
  for (const table of ["user_groups", "dynamic_groups"] as const) {
    const taken = await tx.selectFrom(table).select("id").where("name", "=", name).executeTakeFirst();
    if (taken !== undefined) throw new Problem("group-exists", { group: name });
  }
}
