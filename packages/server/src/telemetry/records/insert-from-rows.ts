import type { ColumnType, Store } from "../../drivers/store/driver.ts";
import type { TelemetryTables } from "../../drivers/store/tables.ts";

/** An insert into these columns from rows that travel beside it. */
export function insertFromRows<Table extends keyof TelemetryTables>(
  store: Store<TelemetryTables>,
  table: Table,
  columns: Readonly<Partial<Record<keyof TelemetryTables[Table] & string, ColumnType>>>,
) {
  // Columns of the table are columns of an insert; Kysely tells the two apart by type.
  const names = Object.keys(columns) as (keyof TelemetryTables[Table] & string)[];
  return store.db
    .insertInto(table)
    .columns(names)
    .expression(store.rowsOf(Object.values(columns)));
}
