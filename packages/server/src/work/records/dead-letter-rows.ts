import { sql } from "kysely";
import { z } from "zod";
import type { Store } from "../../drivers/store/driver.ts";
import type { DeadLettersTable, MainTables } from "../../drivers/store/tables.ts";
import type { DeadLetter } from "../work.ts";

const ProblemColumn = z.object({ code: z.string(), sentence: z.string(), hint: z.string() });

export async function listDeadLetters(
  store: Store<MainTables>,
  options: {
    readonly kind: string;
    readonly lanes?: readonly string[];
    readonly cursor?: string;
    readonly countMax: number;
  },
): Promise<readonly DeadLetter[]> {
  if (options.lanes?.length === 0) return [];
  let query = store.db
    .selectFrom("dead_letters")
    .selectAll()
    .where("kind", "=", options.kind)
    .orderBy("id", "desc")
    .limit(options.countMax);
  if (options.lanes !== undefined) query = query.where("lane", "in", options.lanes);
  if (options.cursor !== undefined) query = query.where("id", "<", options.cursor);
  return (await query.execute()).map(deadLetter);
}

export async function countDeadLetters(store: Store<MainTables>, kind: string): Promise<number> {
  const { count } = await store.db
    .selectFrom("dead_letters")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("kind", "=", kind)
    .executeTakeFirstOrThrow();
  return count;
}

export async function getDeadLetter(store: Store<MainTables>, id: string): Promise<DeadLetter | undefined> {
  const row = await store.db.selectFrom("dead_letters").selectAll().where("id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : deadLetter(row);
}

/** Moves a dead letter back to the work, due now; undefined when it is not there. Attempts go on counting upwards. */
export async function reviveDeadLetter(
  store: Store<MainTables>,
  id: string,
): Promise<{ readonly kind: string; readonly lane: string } | undefined> {
  const now = store.now();
  const revived = store.db
    .insertInto("work")
    .columns([
      "id",
      "kind",
      "lane",
      "due_at_ms",
      "claimable_at_ms",
      "accepted_at_ms",
      "expires_at_ms",
      "attempt",
      "failures",
      "attempts_max",
      "lease_token",
      "payload",
      "payload_id",
      "details",
      "cause_id",
      "trace_id",
    ])
    .expression(
      store.db
        .selectFrom("dead_letters")
        .select((eb) => [
          "id",
          "kind",
          "lane",
          now.as("due_at_ms"),
          now.as("claimable_at_ms"),
          now.as("accepted_at_ms"),
          sql<number>`${now} + ${eb.ref("age_ms_max")}`.as("expires_at_ms"),
          "attempt",
          eb.lit(0).as("failures"),
          "attempts_max",
          sql<string | null>`null`.as("lease_token"),
          "payload",
          "payload_id",
          "details",
          "cause_id",
          "trace_id",
        ])
        .where("id", "=", id),
    );
  const removed = store.db.deleteFrom("dead_letters").where("id", "=", id).returning(["kind", "lane"]);
  const applied = await store.apply([
    { query: revived, expect: 1 },
    { query: removed, expect: 1 },
  ]);
  if (applied.kind === "refused") return undefined;
  const row = applied.results[1]?.rows[0];
  return { kind: String(row?.kind), lane: String(row?.lane) };
}

export async function removeDeadLetter(store: Store<MainTables>, id: string): Promise<boolean> {
  const query = store.db.deleteFrom("dead_letters").where("id", "=", id);
  return (await store.apply([{ query, expect: 1 }])).kind === "applied";
}

/** Removes up to `countMax` dead letters that died before `ageMsMax`; returns how many. */
export async function removeOldDeadLetters(
  store: Store<MainTables>,
  options: { readonly ageMsMax: number; readonly countMax: number },
): Promise<number> {
  const old = store.db
    .selectFrom("dead_letters")
    .select("id")
    .where("died_at_ms", "<=", sql<number>`${store.now()} - ${options.ageMsMax}`)
    .orderBy("died_at_ms")
    .orderBy("id")
    .limit(options.countMax);
  return removeChosen(store, old);
}

/** Removes the oldest dead letters beyond `keptMax`, at most `countMax` of them; returns how many. */
export async function removeSurplusDeadLetters(
  store: Store<MainTables>,
  options: { readonly keptMax: number; readonly countMax: number },
): Promise<number> {
  const { count } = await store.db
    .selectFrom("dead_letters")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  const surplus = Math.min(count - options.keptMax, options.countMax);
  if (surplus <= 0) return 0;
  const oldest = store.db.selectFrom("dead_letters").select("id").orderBy("died_at_ms").orderBy("id").limit(surplus);
  return removeChosen(store, oldest);
}

async function removeChosen(store: Store<MainTables>, chosen: ReturnType<typeof selectIds>): Promise<number> {
  const applied = await store.apply([{ query: store.db.deleteFrom("dead_letters").where("id", "in", chosen) }]);
  return applied.kind === "applied" ? (applied.results[0]?.affected ?? 0) : 0;
}

function selectIds(store: Store<MainTables>) {
  return store.db.selectFrom("dead_letters").select("id");
}

function deadLetter(row: DeadLettersTable): DeadLetter {
  return {
    id: row.id,
    kind: row.kind,
    lane: row.lane,
    acceptedAtMs: row.accepted_at_ms,
    diedAtMs: row.died_at_ms,
    attempt: row.attempt,
    attemptsMax: row.attempts_max,
    payload: row.payload ?? undefined,
    payloadId: row.payload_id ?? undefined,
    details: JSON.parse(row.details),
    problem: ProblemColumn.parse(JSON.parse(row.problem)),
    causeId: row.cause_id ?? undefined,
    traceId: row.trace_id ?? undefined,
  };
}
