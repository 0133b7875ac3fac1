import { sql } from "kysely";
import type { Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";
import { assert } from "../../kernel/assert.ts";
import { type Held, type Lease, type LeasedWork, parseLeased, workColumns } from "./work-rows.ts";

export interface LaneClaim {
  readonly kind: string;
  readonly lane: string;
  readonly countMax: number;
}

/** Leases what is due in each lane, oldest first: each item begins another attempt. */
export async function leaseDue(
  store: Store<MainTables>,
  lanes: readonly LaneClaim[],
  lease: Lease,
): Promise<readonly LeasedWork[]> {
  const picks = lanes.map((lane) =>
    selectIds(store)
      .where("kind", "=", lane.kind)
      .where("lane", "=", lane.lane)
      .where("claimable_at_ms", "<=", store.now())
      .where("expires_at_ms", ">", store.now())
      .orderBy("claimable_at_ms")
      .orderBy("id")
      .limit(lane.countMax),
  );
  return leasePicked(store, picks, { ...lease, attempts: 1 });
}

/** Leases work that grew too old while it waited, whatever its lane could start. No attempt begins. */
export async function leaseExpired(
  store: Store<MainTables>,
  options: { readonly kinds: readonly string[]; readonly countMax: number },
  lease: Lease,
): Promise<readonly LeasedWork[]> {
  const pick = selectIds(store)
    .where("expires_at_ms", "<=", store.now())
    .where("claimable_at_ms", "<=", store.now())
    .where("kind", "in", options.kinds)
    .orderBy("expires_at_ms")
    .limit(options.countMax);
  return leasePicked(store, [pick], { ...lease, attempts: 0 });
}

/** Leases anew what is still ours; answers which leases those were. */
export async function renewLeases(
  store: Store<MainTables>,
  held: readonly Held[],
  leaseMs: number,
): Promise<readonly Held[]> {
  const query = store.db
    .updateTable("work")
    .set({ claimable_at_ms: sql<number>`${store.now()} + ${leaseMs}` })
    .where("id", "in", [...new Set(held.map((one) => one.id))])
    .where("lease_token", "in", [...new Set(held.map((one) => one.token))])
    .returning(["id", "lease_token"]);
  const applied = await store.apply([{ query }]);
  assert(applied.kind === "applied", "a renewal expects nothing, so nothing can refuse it");
  return (applied.results[0]?.rows ?? []).map((row) => ({ id: String(row.id), token: String(row.lease_token) }));
}

/** Lets leases go: the items are claimable at once, by anybody. */
export async function releaseLeases(store: Store<MainTables>, held: readonly Held[]): Promise<void> {
  const query = store.db
    .updateTable("work")
    .set((eb) => ({ lease_token: null, claimable_at_ms: eb.ref("due_at_ms") }))
    .where("id", "in", [...new Set(held.map((one) => one.id))])
    .where("lease_token", "in", [...new Set(held.map((one) => one.token))]);
  await store.apply([{ query }]);
}

/** Lets every lease there is go. Only for a store that nobody else has open: its leases are those of a dead process. */
export async function releaseAllLeases(store: Store<MainTables>): Promise<number> {
  const query = store.db
    .updateTable("work")
    .set((eb) => ({ lease_token: null, claimable_at_ms: eb.ref("due_at_ms") }))
    .where("lease_token", "is not", null);
  const applied = await store.apply([{ query }]);
  assert(applied.kind === "applied", "a release expects nothing, so nothing can refuse it");
  return applied.results[0]?.affected ?? 0;
}

function selectIds(store: Store<MainTables>) {
  return store.db.selectFrom("work").select("id");
}

async function leasePicked(
  store: Store<MainTables>,
  picks: readonly ReturnType<typeof selectIds>[],
  lease: Lease & { readonly attempts: 0 | 1 },
): Promise<readonly LeasedWork[]> {
  const statements = picks.map((pick) => ({
    query: store.db
      // Materialized, because PostgreSQL may otherwise run a limited, locking subquery more than once.
      .with(
        (cte) => cte("picked").materialized(),
        () => (store.claimsSkipLocked ? pick.forUpdate().skipLocked() : pick),
      )
      .updateTable("work")
      .set((eb) => ({
        lease_token: lease.token,
        claimable_at_ms: sql<number>`${store.now()} + ${lease.leaseMs}`,
        attempt: eb("attempt", "+", lease.attempts),
      }))
      .where("id", "in", (eb) => eb.selectFrom("picked").select("picked.id"))
      .returning(workColumns),
  }));
  const applied = await store.apply(statements);
  assert(applied.kind === "applied", "a claim expects nothing, so nothing can refuse it");
  return applied.results.flatMap((result) => result.rows.map((row) => parseLeased(row, lease)));
}
