import { sql } from "kysely";
import type { Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";

/**
 * When an item is claimable, as an expression that only the index `work_claimable` has: with the plain column PostgreSQL
 * would, depending on its statistics, search a lane by walking through everything due in all lanes.
 */
const claimableAtMs = sql<number>`(claimable_at_ms + 0)`;

export interface Due {
  readonly dueLanes: readonly string[];
  /** The rows looked at were all due: lanes with younger due work may be missing. */
  readonly isDueCut: boolean;
  /** What becomes due within the window, in order of time. */
  readonly upcoming: readonly { readonly lane: string; readonly inMs: number }[];
  /** More becomes due within the window, later than the last of `upcoming`. */
  readonly isUpcomingCut: boolean;
}

/** Looks at the rows of a kind that are claimable first, at most `rowsMax` due and as many upcoming ones. */
export async function readDue(
  store: Store<MainTables>,
  kind: string,
  options: { readonly rowsMax: number; readonly windowMs: number },
): Promise<Due> {
  const { rowsMax, windowMs } = options;
  const rows = await readClaimable(store, { kind, rowsMax, afterNow: false });
  const due = rows.filter((row) => row.inMs <= 0);
  const isDueCut = due.length === rowsMax;
  const later = isDueCut ? await readClaimable(store, { kind, rowsMax, afterNow: true }) : rows.slice(due.length);
  const upcoming = later.filter((row) => row.inMs <= windowMs);
  return {
    dueLanes: [...new Set(due.map((row) => row.lane))],
    isDueCut,
    upcoming,
    isUpcomingCut: upcoming.length > 0 && due.length + later.length >= rowsMax && upcoming.length === later.length,
  };
}

async function readClaimable(
  store: Store<MainTables>,
  options: { readonly kind: string; readonly rowsMax: number; readonly afterNow: boolean },
): Promise<readonly { readonly lane: string; readonly inMs: number }[]> {
  let query = store.db
    .selectFrom("work")
    .select(["lane", claimableAtMs.as("at_ms"), store.now().as("now_ms")])
    .where("kind", "=", options.kind)
    .orderBy(claimableAtMs)
    .limit(options.rowsMax);
  if (options.afterNow) query = query.where(claimableAtMs, ">", store.now());
  return (await query.execute()).map((row) => ({ lane: row.lane, inMs: row.at_ms - row.now_ms }));
}

export interface LanePage {
  /** Lanes of the page with something due. */
  readonly lanes: readonly string[];
  /** Where the next page begins; undefined after the last. */
  readonly lastLane: string | undefined;
}

/**
 * Finds lanes after `afterLane` by jumping through the index from lane to lane (a loose index scan), so a lane costs
 * the same however many rows it has.
 */
export async function scanLanes(
  store: Store<MainTables>,
  kind: string,
  options: { readonly afterLane: string; readonly lanesMax: number },
): Promise<LanePage> {
  const { afterLane, lanesMax } = options;
  const result = await sql<{ lane: string; claimable_at_ms: number; now_ms: number }>`
    with recursive lanes (lane, number) as (
      select * from (
        select work.lane, 1 from work where work.kind = ${kind} and work.lane > ${afterLane} order by work.lane limit 1
      ) as first
      union all
      select (
        select work.lane from work where work.kind = ${kind} and work.lane > lanes.lane order by work.lane limit 1
      ), lanes.number + 1
      from lanes where lanes.lane is not null and lanes.number < ${lanesMax}
    )
    select lanes.lane as lane, (
      select min(work.claimable_at_ms) from work where work.kind = ${kind} and work.lane = lanes.lane
    ) as claimable_at_ms, ${store.now()} as now_ms
    from lanes where lanes.lane is not null order by lanes.lane`.execute(store.db);
  const lanes = result.rows.filter((row) => row.claimable_at_ms <= row.now_ms).map((row) => row.lane);
  return { lanes, lastLane: result.rows.length < lanesMax ? undefined : result.rows.at(-1)?.lane };
}

/** How many items of a lane wait or run. */
export async function countLane(store: Store<MainTables>, kind: string, lane: string): Promise<number> {
  const row = await store.db
    .selectFrom("work")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("kind", "=", kind)
    .where("lane", "=", lane)
    .executeTakeFirstOrThrow();
  return row.count;
}

/** How many items of a kind wait or run. */
export async function countKind(store: Store<MainTables>, kind: string): Promise<number> {
  const row = await store.db
    .selectFrom("work")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("kind", "=", kind)
    .executeTakeFirstOrThrow();
  return row.count;
}

/** How many items of a kind are leased, not counting what nodes left that are gone: at most what nodes have places for. */
export async function countLeased(store: Store<MainTables>, kind: string): Promise<number> {
  const row = await store.db
    .selectFrom("work")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("lease_token", "is not", null)
    .where("claimable_at_ms", ">", store.now())
    // Not the plain column: with that a store may walk through the whole kind instead of the few leased rows.
    .where(sql<string>`(kind || '')`, "=", kind)
    .executeTakeFirstOrThrow();
  return row.count;
}

/** For how long the item of a kind that is due longest has been claimable; 0 when nothing is due. */
export async function oldestDueMs(store: Store<MainTables>, kind: string): Promise<number> {
  const [first] = await readClaimable(store, { kind, rowsMax: 1, afterNow: false });
  return Math.max(0, -(first?.inMs ?? 0));
}
