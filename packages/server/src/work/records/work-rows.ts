import { limits } from "@chaya/contract";
import { sql } from "kysely";
import { z } from "zod";
import type { Statement, Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";
import { assert } from "../../kernel/assert.ts";
import type { CallProblem } from "../../seams.ts";
import type { NewWork, Work } from "../work.ts";

/** Work that is leased to this node, with what settling it needs. */
export interface LeasedWork {
  readonly work: Work;
  /** Fences every write: whoever claims the item later has another token. */
  readonly token: string;
  /** Failures counted before this attempt. */
  readonly failures: number;
  readonly expiresAtMs: number;
  /** By the store's clock. */
  readonly leasedAtMs: number;
}

export interface Lease {
  readonly token: string;
  readonly leaseMs: number;
}

/** Which lease a write is about: it does nothing once the item is somebody else's. */
export interface Held {
  readonly id: string;
  readonly token: string;
}

export const workColumns = [
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
  "payload",
  "payload_id",
  "details",
  "cause_id",
  "trace_id",
] as const;

const Row = z.object({
  id: z.string(),
  kind: z.string(),
  lane: z.string(),
  due_at_ms: z.number(),
  claimable_at_ms: z.number(),
  accepted_at_ms: z.number(),
  expires_at_ms: z.number(),
  attempt: z.number(),
  failures: z.number(),
  attempts_max: z.number(),
  payload: z.instanceof(Uint8Array).nullable(),
  payload_id: z.string().nullable(),
  details: z.string(),
  cause_id: z.string().nullable(),
  trace_id: z.string().nullable(),
});

/** Reads a row that was just leased. */
export function parseLeased(columns: Readonly<Record<string, unknown>>, lease: Lease): LeasedWork {
  const row = Row.parse(columns);
  return {
    work: {
      id: row.id,
      kind: row.kind,
      lane: row.lane,
      dueAtMs: row.due_at_ms,
      acceptedAtMs: row.accepted_at_ms,
      attempt: row.attempt,
      attemptsMax: row.attempts_max,
      payload: row.payload ?? undefined,
      payloadId: row.payload_id ?? undefined,
      details: JSON.parse(row.details),
      causeId: row.cause_id ?? undefined,
      traceId: row.trace_id ?? undefined,
    },
    token: lease.token,
    failures: row.failures,
    expiresAtMs: row.expires_at_ms,
    leasedAtMs: row.claimable_at_ms - lease.leaseMs,
  };
}

/** Adds an item: waiting, or leased at once when `lease` is given. Without `dueAtMs` it is due by the store's clock. */
export function insertWork(
  store: Store<MainTables>,
  item: Omit<NewWork, "dueAtMs">,
  options: { readonly dueAtMs?: number; readonly lease?: Lease },
): Statement {
  const { dueAtMs, lease } = options;
  assert(
    item.payload === undefined || item.payload.byteLength <= limits.workPayloadInlineBytesMax,
    "payloads beyond 4 KiB belong to the payload driver",
  );
  const now = store.now();
  const query = store.db.insertInto("work").values({
    id: item.id,
    kind: item.kind,
    lane: item.lane,
    due_at_ms: dueAtMs ?? now,
    claimable_at_ms: lease === undefined ? (dueAtMs ?? now) : later(now, lease.leaseMs),
    accepted_at_ms: now,
    expires_at_ms: later(now, item.ageMsMax),
    attempt: lease === undefined ? 0 : 1,
    failures: 0,
    attempts_max: item.attemptsMax,
    lease_token: lease === undefined ? null : lease.token,
    payload: item.payload ?? null,
    payload_id: item.payloadId ?? null,
    details: JSON.stringify(item.details),
    cause_id: item.causeId ?? null,
    trace_id: item.traceId ?? null,
  });
  return { query, expect: 1 };
}

/** Removes a finished item. */
export function removeWork(store: Store<MainTables>, held: Held): Statement {
  const query = store.db.deleteFrom("work").where("id", "=", held.id).where("lease_token", "=", held.token);
  return { query, expect: 1 };
}

/** Puts an item back to wait. */
export function rescheduleWork(
  store: Store<MainTables>,
  held: Held,
  options: { readonly delayMs: number; readonly isFailure: boolean },
): Statement {
  const dueAtMs = later(store.now(), options.delayMs);
  const query = store.db
    .updateTable("work")
    .set((eb) => ({
      lease_token: null,
      due_at_ms: dueAtMs,
      claimable_at_ms: dueAtMs,
      failures: eb("failures", "+", options.isFailure ? 1 : 0),
    }))
    .where("id", "=", held.id)
    .where("lease_token", "=", held.token);
  return { query, expect: 1 };
}

/** Moves an item to the dead letters. */
export function buryWork(store: Store<MainTables>, held: Held, problem: CallProblem): readonly Statement[] {
  const dead = store.db
    .insertInto("dead_letters")
    .columns([
      "id",
      "kind",
      "lane",
      "accepted_at_ms",
      "died_at_ms",
      "attempt",
      "attempts_max",
      "age_ms_max",
      "payload",
      "payload_id",
      "details",
      "problem",
      "cause_id",
      "trace_id",
    ])
    .expression(
      store.db
        .selectFrom("work")
        .select((eb) => [
          "id",
          "kind",
          "lane",
          "accepted_at_ms",
          store.now().as("died_at_ms"),
          "attempt",
          "attempts_max",
          eb("expires_at_ms", "-", eb.ref("accepted_at_ms")).as("age_ms_max"),
          "payload",
          "payload_id",
          "details",
          sql<string>`${JSON.stringify(problem)}`.as("problem"),
          "cause_id",
          "trace_id",
        ])
        .where("id", "=", held.id)
        .where("lease_token", "=", held.token),
    );
  return [{ query: dead, expect: 1 }, removeWork(store, held)];
}

function later(now: ReturnType<Store<MainTables>["now"]>, delayMs: number) {
  return sql<number>`${now} + ${delayMs}`;
}
