import type { Statement, Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";

/** A key that a caller gave to a request, so that repeating the request does not repeat its effect. */
export interface IdempotencyKey {
  readonly functionId: string;
  readonly key: string;
  /** sha256 of the body, hexadecimal. */
  readonly fingerprint: string;
  readonly callId: string;
  readonly expiresAtMs: number;
}

/** Takes the key, or refuses the whole write with `unique` while another request has it. */
export function takingKey(store: Store<MainTables>, taken: IdempotencyKey, nowMs: number): readonly Statement[] {
  const { functionId, key, fingerprint, callId, expiresAtMs } = taken;
  const expired = store.db
    .deleteFrom("idempotency_keys")
    .where("scope", "=", functionId)
    .where("key", "=", key)
    .where("expires_at_ms", "<=", nowMs);
  const inserted = store.db
    .insertInto("idempotency_keys")
    .values({ scope: functionId, key, fingerprint, call_id: callId, expires_at_ms: expiresAtMs });
  return [{ query: expired }, { query: inserted, expect: 1 }];
}

export async function readKey(
  store: Store<MainTables>,
  functionId: string,
  key: string,
): Promise<{ readonly fingerprint: string; readonly callId: string } | undefined> {
  const row = await store.db
    .selectFrom("idempotency_keys")
    .select(["fingerprint", "call_id"])
    .where("scope", "=", functionId)
    .where("key", "=", key)
    .executeTakeFirst();
  return row === undefined ? undefined : { fingerprint: row.fingerprint, callId: row.call_id };
}

/** Keys nobody can use any more. */
export async function removeExpiredKeys(store: Store<MainTables>, nowMs: number): Promise<void> {
  await store.apply([{ query: store.db.deleteFrom("idempotency_keys").where("expires_at_ms", "<=", nowMs) }]);
}
