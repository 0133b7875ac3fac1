import type { Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";

/** Writes that a node is alive now, by the store's clock. */
export async function renewNode(store: Store<MainTables>, id: string): Promise<void> {
  const now = store.now();
  await store.apply([
    {
      query: store.db
        .insertInto("nodes")
        .values({ id, started_at_ms: now, seen_at_ms: now })
        .onConflict((conflict) => conflict.column("id").doUpdateSet({ seen_at_ms: now })),
    },
  ]);
}

/** How many nodes were seen within `ageMsMax`. */
export async function countNodes(store: Store<MainTables>, ageMsMax: number): Promise<number> {
  const { count } = await store.db
    .selectFrom("nodes")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where((where) => where("seen_at_ms", ">", where(store.now(), "-", ageMsMax)))
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Those of these nodes that were seen within `ageMsMax`. */
export async function seenAmong(
  store: Store<MainTables>,
  ids: readonly string[],
  ageMsMax: number,
): Promise<ReadonlySet<string>> {
  const rows = await store.db
    .selectFrom("nodes")
    .select("id")
    .where("id", "in", [...ids])
    .where((where) => where("seen_at_ms", ">", where(store.now(), "-", ageMsMax)))
    .execute();
  return new Set(rows.map(({ id }) => id));
}

/** Removes a node that stops, and those that were not seen within `ageMsMax`. */
export async function removeNodes(store: Store<MainTables>, id: string, ageMsMax: number): Promise<void> {
  await store.apply([
    {
      query: store.db
        .deleteFrom("nodes")
        .where((where) =>
          where.or([where("id", "=", id), where("seen_at_ms", "<=", where(store.now(), "-", ageMsMax))]),
        ),
    },
  ]);
}
