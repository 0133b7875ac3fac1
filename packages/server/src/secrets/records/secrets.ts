import type { Kysely } from "kysely";
import type { Store } from "../../drivers/store/driver.ts";
import type { MainTables, SecretsTable } from "../../drivers/store/tables.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { NewId } from "../../kernel/ids.ts";
import type { ChangesFeed } from "../../work/changes.ts";
import type { SealedSecret, Secret, SecretPlace } from "../secret.ts";
import { claimKey, isKeyLasting } from "./key-fingerprint.ts";

export interface RecordDeps {
  readonly store: Store<MainTables>;
  readonly changes: ChangesFeed;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly compartmentId: string;
}

export interface SecretToPut {
  readonly place: SecretPlace;
  readonly createdBy: string;
  readonly keyFingerprint: string;
  /** Called once for each try of the transaction, with the id of the record. */
  readonly seal: (id: string) => Uint8Array;
  /** How many secrets an application may have. */
  readonly countMax: number;
}

export type Put =
  | { readonly kind: "put"; readonly secret: Secret; readonly seq: number }
  /** Another key sealed what is stored. */
  | { readonly kind: "other-key" }
  | { readonly kind: "too-many" };

/** For every function of the application first, then by function; in order of names. */
export async function listSecrets(
  store: Store<MainTables>,
  { applicationId, functionId }: { readonly applicationId: string; readonly functionId: string | undefined },
): Promise<readonly Secret[]> {
  let query = store.db
    .selectFrom("secrets")
    .select(secretColumns)
    .where("application_id", "=", applicationId)
    .orderBy("function_id")
    .orderBy("name");
  if (functionId !== undefined) query = query.where("function_id", "=", functionId);
  return (await query.execute()).map(secretOf);
}

export async function readSealedSecrets(
  store: Store<MainTables>,
  applicationId: string,
): Promise<readonly SealedSecret[]> {
  const rows = await store.db
    .selectFrom("secrets")
    .select([...secretColumns, "sealed"])
    .where("application_id", "=", applicationId)
    .execute();
  return rows.map((row) => ({ ...secretOf(row), sealed: row.sealed }));
}

/** Whether anything is sealed that only the present key opens. */
export async function hasSealed(db: Kysely<MainTables>): Promise<boolean> {
  const secret = await db.selectFrom("secrets").select("id").limit(1).executeTakeFirst();
  return secret !== undefined || (await isKeyLasting(db));
}

/**
 * Writes the value whether or not it is a new one: an answer that told them apart would let values be guessed. Claiming
 * the key locks its row, so of all nodes one at a time counts and writes.
 */
export async function putSecret(deps: RecordDeps, put: SecretToPut): Promise<Put> {
  const done = await deps.store.transaction(async (tx): Promise<Put> => {
    if (!(await claimKey(tx, put.keyFingerprint, hasSealed))) return { kind: "other-key" };
    const row = (await replace(deps, tx, put)) ?? (await insert(deps, tx, put));
    if (row === undefined) return { kind: "too-many" };
    const seq = await deps.changes.append(tx, "secret", put.place.applicationId);
    return { kind: "put", secret: secretOf(row), seq };
  });
  if (done.kind === "put") await deps.changes.published(done.seq);
  return done;
}

/** The place of the change in the feed; undefined when there is no such secret. */
export async function removeSecret(deps: RecordDeps, place: SecretPlace): Promise<number | undefined> {
  const seq = await deps.store.transaction(async (tx) => {
    const removed = await tx
      .deleteFrom("secrets")
      .where("application_id", "=", place.applicationId)
      .where("function_id", "=", place.functionId)
      .where("name", "=", place.name)
      .returning("id")
      .executeTakeFirst();
    return removed && (await deps.changes.append(tx, "secret", place.applicationId));
  });
  if (seq !== undefined) await deps.changes.published(seq);
  return seq;
}

/** Removes what belongs to applications and functions that are not there any more. */
export async function removeOrphans(store: Store<MainTables>): Promise<void> {
  const query = store.db
    .deleteFrom("secrets")
    .where((eb) =>
      eb.or([
        eb("application_id", "not in", eb.selectFrom("applications").select("id")),
        eb("function_id", "!=", "").and("function_id", "not in", eb.selectFrom("functions").select("id")),
      ]),
    );
  await store.apply([{ query }]);
}

type SecretRow = Pick<SecretsTable, (typeof secretColumns)[number]>;

async function replace(deps: RecordDeps, tx: Kysely<MainTables>, put: SecretToPut): Promise<SecretRow | undefined> {
  const before = await tx
    .selectFrom("secrets")
    .select(["id", "version"])
    .where("application_id", "=", put.place.applicationId)
    .where("function_id", "=", put.place.functionId)
    .where("name", "=", put.place.name)
    .executeTakeFirst();
  if (before === undefined) return undefined;
  // Refused when it was removed since it was read: then there is none, and it is inserted.
  return tx
    .updateTable("secrets")
    .set({
      sealed: put.seal(before.id),
      etag: deps.newId(),
      version: before.version + 1,
      updated_at_ms: deps.clock.nowMs(),
    })
    .where("id", "=", before.id)
    .where("version", "=", before.version)
    .returning(secretColumns)
    .executeTakeFirst();
}

async function insert(deps: RecordDeps, tx: Kysely<MainTables>, put: SecretToPut): Promise<SecretRow | undefined> {
  const { applicationId, functionId, name } = put.place;
  const { count } = await tx
    .selectFrom("secrets")
    .select((eb) => eb.fn.countAll().as("count"))
    .where("application_id", "=", applicationId)
    .executeTakeFirstOrThrow();
  if (Number(count) >= put.countMax) return undefined;
  const id = deps.newId();
  const nowMs = deps.clock.nowMs();
  const row: SecretsTable = {
    id,
    compartment_id: deps.compartmentId,
    tags: "{}",
    etag: deps.newId(),
    version: 1,
    created_by: put.createdBy,
    cause_id: null,
    trace_id: null,
    created_at_ms: nowMs,
    updated_at_ms: nowMs,
    application_id: applicationId,
    function_id: functionId,
    name,
    sealed: put.seal(id),
  };
  await tx.insertInto("secrets").values(row).execute();
  return row;
}

const secretColumns = ["id", "application_id", "function_id", "name", "created_at_ms", "updated_at_ms"] as const;

function secretOf(row: SecretRow): Secret {
  return {
    id: row.id,
    applicationId: row.application_id,
    functionId: row.function_id,
    name: row.name,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
  };
}
