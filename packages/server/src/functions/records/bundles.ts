import type { Kysely } from "kysely";
import type { BundlesTable, MainTables } from "../../drivers/store/tables.ts";
import { commit, type ReadDeps, type RecordDeps } from "./commit.ts";

/** A code bundle, named by the sha256 of its bytes. Its age counts from when it was last uploaded or put on a function. */
export interface Bundle {
  readonly digest: string;
  readonly payloadId: string;
  readonly bytes: number;
}

export async function readBundles(deps: ReadDeps, digests: readonly string[]): Promise<readonly Bundle[]> {
  if (digests.length === 0) return [];
  const rows = await deps.store.db.selectFrom("bundles").selectAll().where("digest", "in", digests).execute();
  return rows.map(bundleOf);
}

export async function readBundle(deps: ReadDeps, digest: string): Promise<Bundle | undefined> {
  return (await readBundles(deps, [digest]))[0];
}

/** Adds a bundle; false when its digest is known already. */
export async function insertBundle(deps: RecordDeps, bundle: Bundle): Promise<boolean> {
  const { digest, payloadId, bytes } = bundle;
  const row = { digest, payload_id: payloadId, bytes, created_at_ms: deps.clock.nowMs() };
  const applied = await deps.store.apply([{ query: deps.store.db.insertInto("bundles").values(row), expect: 1 }]);
  return applied.kind === "applied";
}

/** Renews a bundle that was uploaded again and points it at `payloadId`; false when it is no longer as it was read. */
export async function renewBundle(deps: RecordDeps, before: Bundle, payloadId: string): Promise<boolean> {
  const query = deps.store.db
    .updateTable("bundles")
    .set({ payload_id: payloadId, created_at_ms: deps.clock.nowMs() })
    .where("digest", "=", before.digest)
    .where("payload_id", "=", before.payloadId);
  return (await deps.store.apply([{ query, expect: 1 }])).kind === "applied";
}

/** Keeps a bundle that is put on a function from the collector: its age starts again. */
export async function keepBundle(tx: Kysely<MainTables>, digest: string, nowMs: number): Promise<void> {
  await tx.updateTable("bundles").set({ created_at_ms: nowMs }).where("digest", "=", digest).execute();
}

/** Bundles whose age counts from before `beforeMs`. */
export async function readOldBundles(deps: ReadDeps, beforeMs: number): Promise<readonly Bundle[]> {
  const rows = await deps.store.db.selectFrom("bundles").selectAll().where("created_at_ms", "<", beforeMs).execute();
  return rows.map(bundleOf);
}

/** Deletes a bundle unless it was uploaded or put on a function since `beforeMs`; tells whether it did, and every node. */
export async function deleteOldBundle(deps: RecordDeps, bundle: Bundle, beforeMs: number): Promise<boolean> {
  const { record } = await commit(deps, async (tx) => {
    const row = await tx
      .deleteFrom("bundles")
      .where("digest", "=", bundle.digest)
      .where("payload_id", "=", bundle.payloadId)
      .where("created_at_ms", "<", beforeMs)
      .returning("digest")
      .executeTakeFirst();
    return row === undefined ? { record: false } : { record: true, changed: { kind: "bundle", id: row.digest } };
  });
  return record;
}

function bundleOf(row: BundlesTable): Bundle {
  return { digest: row.digest, payloadId: row.payload_id, bytes: row.bytes };
}
