import type { Kysely } from "kysely";
import type { Statement, Store } from "../../drivers/store/driver.ts";
import type { CapturedInputsTable, TelemetryTables } from "../../drivers/store/tables.ts";

export type CapturedInputRecord = CapturedInputsTable;

/** Keeps the newest input of a call. What an older one left in the payload driver is collected. */
export function recordInput(store: Store<TelemetryTables>, record: CapturedInputRecord): Statement {
  const { call_id: _, ...changes } = record;
  return {
    query: store.db
      .insertInto("captured_inputs")
      .values(record)
      .onConflict((conflict) => conflict.column("call_id").doUpdateSet(changes)),
  };
}

export function findInput(db: Kysely<TelemetryTables>, callId: string): Promise<CapturedInputRecord | undefined> {
  return db.selectFrom("captured_inputs").selectAll().where("call_id", "=", callId).executeTakeFirst();
}

/** Up to `countMax` inputs to remove: captured before `beforeMs`, or older than the newest `keptMax`. */
export async function inputsToRemove(
  db: Kysely<TelemetryTables>,
  keep: { readonly beforeMs: number; readonly keptMax: number; readonly countMax: number },
): Promise<readonly Pick<CapturedInputRecord, "call_id" | "payload_id">[]> {
  const columns = ["call_id", "payload_id"] as const;
  const aged = await db
    .selectFrom("captured_inputs")
    .select(columns)
    .where("captured_at_ms", "<", keep.beforeMs)
    .orderBy("captured_at_ms")
    .limit(keep.countMax)
    .execute();
  if (aged.length > 0) return aged;
  return db
    .selectFrom("captured_inputs")
    .select(columns)
    .orderBy("captured_at_ms", "desc")
    .orderBy("call_id", "desc")
    .limit(keep.countMax)
    .offset(keep.keptMax)
    .execute();
}

export function removeInputs(store: Store<TelemetryTables>, callIds: readonly string[]): Statement {
  return { query: store.db.deleteFrom("captured_inputs").where("call_id", "in", [...callIds]) };
}

/** Which of these payloads hold captured inputs. */
export async function payloadsOfInputs(
  db: Kysely<TelemetryTables>,
  payloadIds: readonly string[],
): Promise<readonly string[]> {
  if (payloadIds.length === 0) return [];
  const rows = await db
    .selectFrom("captured_inputs")
    .select("payload_id")
    .where("payload_id", "in", [...payloadIds])
    .execute();
  return rows.flatMap((row) => (row.payload_id === null ? [] : [row.payload_id]));
}
