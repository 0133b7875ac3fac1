import { Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { MainTables } from "../../drivers/store/tables.ts";

type CountedTable = "users" | "user_groups" | "dynamic_groups" | "policies" | "compartments";

/** Throws `identity-exhausted` when a table has no room for another row. */
export async function checkRoom(
  tx: Kysely<MainTables>,
  { table, what, countMax }: { readonly table: CountedTable; readonly what: string; readonly countMax: number },
): Promise<void> {
  const { count } = await tx
    .selectFrom(table)
    .select((eb) => eb.fn.countAll().as("count"))
    .executeTakeFirstOrThrow();
  if (Number(count) >= countMax) throw new Problem("identity-exhausted", { what, countMax });
}
