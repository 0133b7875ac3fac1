import { sql } from "kysely";
import { expect, it } from "vitest";
import type { Statement, Store } from "../drivers/store/driver.ts";
import type { CallsTable, TelemetryTables } from "../drivers/store/tables.ts";
import { createIds } from "../kernel/ids.ts";
import { seededRandom } from "../kernel/random.ts";
import type { StoreBench } from "./store-bench.ts";

const dayMs = 86_400_000;

export function telemetryTests(bench: StoreBench): void {
  it("keeps one row for a call, whenever its attempts are recorded", async () => {
    const { telemetry } = bench.opened;
    const [id = ""] = idsAt(bench.clock.nowMs(), 1);
    const record = (attempt: number): Statement => ({
      query: telemetry.db
        .insertInto("calls")
        .values(call({ id, attempt, accepted_at_ms: 1 }))
        .onConflict((on) => on.column("id").doUpdateSet((eb) => ({ attempt: eb.ref("excluded.attempt") }))),
      expect: 1,
    });
    await telemetry.apply([record(1)]);
    await telemetry.apply([record(2)]);
    expect(await telemetry.db.selectFrom("calls").select(["id", "attempt"]).execute()).toEqual([{ id, attempt: 2 }]);
  });

  it("pages through calls newest first, through all and by status", async () => {
    const { telemetry } = bench.opened;
    const startMs = bench.clock.nowMs();
    const rows = Array.from({ length: 40 }, (_, index) => {
      // Days apart, so that they lie in several partitions where there are some; two in each millisecond.
      const accepted_at_ms = startMs + Math.floor(index / 2) * (dayMs / 4);
      const [id = ""] = idsAt(accepted_at_ms, 1, index);
      return call({ id, accepted_at_ms, status: index % 5 === 0 ? "failed" : "succeeded" });
    });
    await telemetry.apply([{ query: telemetry.db.insertInto("calls").values(rows) }]);
    const newestFirst = (keep: (row: CallsTable) => boolean) =>
      rows
        .filter(keep)
        .sort((a, b) => b.accepted_at_ms - a.accepted_at_ms || (a.id < b.id ? 1 : -1))
        .map(({ id }) => id);
    expect(await pages(telemetry, "source", "direct")).toEqual(newestFirst(() => true));
    expect(await pages(telemetry, "status", "failed")).toEqual(newestFirst((row) => row.status === "failed"));
  });

  it("trims what was made before a time, and nothing of the days after", async () => {
    const { telemetry } = bench.opened;
    const nowMs = bench.clock.nowMs();
    const ages = [30, 8, 7.5, 2, 1, 0, -1, -5];
    const ids = ages.map((days) => idsAt(nowMs - days * dayMs, 1)[0] ?? "");
    const lines = ids.map((id) => ({
      id,
      at_ms: 0,
      application_id: "a",
      function_id: "f",
      stream: "stdout",
      text: Uint8Array.of(0),
    }));
    await telemetry.apply([{ query: telemetry.db.insertInto("log_lines").values(lines) }]);
    await telemetry.trim("log_lines", nowMs - 3 * dayMs);
    const left = await telemetry.db.selectFrom("log_lines").select(["id", "text"]).orderBy("id").execute();
    expect(left).toEqual(ids.slice(3).map((id) => ({ id, text: Uint8Array.of(0) })));
    await telemetry.trim("log_lines", nowMs + 10 * dayMs);
    expect(await telemetry.db.selectFrom("log_lines").select("id").execute()).toEqual([]);
  });

  it("takes rows of any time and any id", async () => {
    const { telemetry } = bench.opened;
    const ids = ["", "0", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "no id at all", "\u{10ffff}"];
    await telemetry.apply([
      { query: telemetry.db.insertInto("calls").values(ids.map((id) => call({ id, accepted_at_ms: 0 }))), expect: 5 },
    ]);
    const found = await telemetry.db.selectFrom("calls").select("id").orderBy("id").execute();
    expect(found.map(({ id }) => id)).toEqual(ids);
  });
}

/** Reads page by page of three; the ids in the order they came. */
async function pages(
  store: Store<TelemetryTables>,
  column: "source" | "status",
  value: string,
): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let after: { id: string; accepted_at_ms: number } | undefined; ; ) {
    let query = store.db.selectFrom("calls").select(["id", "accepted_at_ms"]).where(column, "=", value);
    if (after !== undefined)
      query = query.where(sql<boolean>`(accepted_at_ms, id) < (${after.accepted_at_ms}, ${after.id})`);
    const rows = await query.orderBy("accepted_at_ms", "desc").orderBy("id", "desc").limit(3).execute();
    if (rows.length === 0) return ids;
    ids.push(...rows.map(({ id }) => id));
    after = rows.at(-1);
  }
}

function idsAt(ms: number, count: number, seed = 1): readonly string[] {
  const newId = createIds({ nowMs: () => ms }, seededRandom(seed));
  return Array.from({ length: count }, () => newId());
}

function call(row: Partial<CallsTable> & Pick<CallsTable, "id" | "accepted_at_ms">): CallsTable {
  return {
    called_id: "c",
    source: "direct",
    status: "succeeded",
    attempt: 1,
    node_id: null,
    http_status: 200,
    started_at_ms: null,
    finished_at_ms: null,
    wait_us: 0,
    run_us: 0,
    is_cold_start: 0,
    request_bytes: 0,
    response_bytes: 0,
    problem: null,
    cause_id: null,
    trace_id: null,
    ...row,
  };
}
