import pg from "pg";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../kernel/clock.ts";
import { createIds } from "../../../kernel/ids.ts";
import { seededRandom } from "../../../kernel/random.ts";
import { ManualClock } from "../../../testing/manual-clock.ts";
import { facts } from "../../../testing/store-bench.ts";
import { testDatabase, testStore } from "../../../testing/stores.ts";
import { storeConformance } from "../conformance.ts";
import type { Statement, Store } from "../driver.ts";
import { mainMigrations } from "../migrations/main-migrations.ts";
import { telemetryMigrations } from "../migrations/telemetry-migrations.ts";
import type { MainTables, TelemetryTables } from "../tables.ts";
import { openPostgresStore, type PostgresStoreOptions } from "./postgres-store.ts";

storeConformance("postgres", testStore("postgres"));

const dayMs = 86_400_000;
const random = () => seededRandom(1);

describe("the PostgreSQL store", () => {
  const open = (url: string, options: Partial<PostgresStoreOptions> = {}) =>
    openPostgresStore<MainTables>({
      url,
      schema: "chaya",
      migrations: mainMigrations,
      clock: new ManualClock(),
      random: random(),
      ...options,
    });

  it("makes its schema once when several nodes start at the same time", async () => {
    await using database = await testDatabase({ isEmpty: true });
    const nodes = await Promise.all([1, 2, 3, 4].map(() => open(database.url)));
    expect(await nodes[0]?.apply([add(nodes[0], "a")])).toMatchObject({ kind: "applied" });
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
  });

  it("refuses a database that a newer version changed, and one that is not in UTF-8", async () => {
    await using database = await testDatabase({ isEmpty: true });
    const newer = [...mainMigrations, { name: "0002-later", statements: () => ["create table later (a text)"] }];
    await (await open(database.url, { migrations: newer }))[Symbol.asyncDispose]();
    await expect(open(database.url)).rejects.toThrow(/newer version changed it \(migration 0002-later\)/);
    await using latin = await testDatabase({ isEmpty: true, encoding: "LATIN1" });
    await expect(open(latin.url)).rejects.toThrow(/encoding LATIN1/);
  });

  it("says that the server cannot be reached, without the password", async () => {
    const failing = open("postgres://chaya:geheim@127.0.0.1:1/chaya");
    await expect(failing).rejects.toMatchObject({
      code: "store-unavailable",
      message: /cannot be reached \(ECONNREFUSED\)/,
    });
    await expect(failing).rejects.not.toThrow(/geheim/);
  });

  it("answers that it is unavailable when its connections are cut, and works on", async () => {
    await using database = await testDatabase();
    const clock = new ManualClock();
    await using store = await open(database.url, { clock });
    await store.apply([add(store, "a")]);
    // Several connections in the pool: each of them is stale after the cut.
    await Promise.all([facts(store), facts(store), facts(store), facts(store)]);
    let hints = 0;
    let keys = 0;
    using _listening = store.onHint("facts", () => hints++);
    await database.cutConnections();
    expect(await facts(store)).toEqual({ a: "1" });
    // A write is not repeated: it may have happened. Each that fails takes a stale connection out of the pool.
    const write = (key: string) =>
      store
        .apply([add(store, key)])
        .catch((error: unknown) => expect(error).toMatchObject({ code: "store-unavailable" }));
    await expect.poll(() => write(`key ${keys++}`)).toMatchObject({ kind: "applied" });
    // The connection that listens comes back after a pause; what was sent meanwhile counts as missed.
    while (hints === 0) await clock.advance(100);
    await using other = await open(database.url);
    hints = 0;
    other.hint("facts");
    await expect.poll(() => hints).toBe(1);
  });

  it("rolls back and rejects a transaction whose connection is cut", async () => {
    await using database = await testDatabase();
    await using store = await open(database.url);
    const cut = store.transaction(async (tx) => {
      await tx.insertInto("facts").values({ key: "a", value: "1" }).execute();
      await database.cutConnections();
      await tx.insertInto("facts").values({ key: "b", value: "1" }).execute();
    });
    await expect(cut).rejects.toMatchObject({ code: "store-unavailable" });
    expect(await facts(store)).toEqual({});
  });

  it("answers that it is unavailable while the database takes no writes, and reads on", async () => {
    await using database = await testDatabase();
    await using store = await open(database.url);
    await store.apply([add(store, "a")]);
    await database.run("alter database current set default_transaction_read_only = on");
    await database.cutConnections();
    await store.apply([add(store, "b")]).catch(() => undefined);
    await expect(store.apply([add(store, "b")])).rejects.toMatchObject({ code: "store-unavailable" });
    expect(await facts(store)).toEqual({ a: "1" });
  });

  it("judges leases by the time of the database, which all nodes share", async () => {
    await using database = await testDatabase();
    await using store = await open(database.url, { clock: new ManualClock(0) });
    const beforeMs = systemClock().nowMs() - 1_000;
    expect(await store.nowMs()).toBeGreaterThan(beforeMs);
    const row = { id: "n", started_at_ms: store.now(), seen_at_ms: store.now() };
    await store.apply([{ query: store.db.insertInto("nodes").values(row) }]);
    const due = store.db.selectFrom("nodes").selectAll().where("started_at_ms", "<=", store.now());
    expect((await due.executeTakeFirstOrThrow()).started_at_ms).toBeGreaterThan(beforeMs);
  });

  it("refuses unknown errors of the server as they are: they are bugs", async () => {
    await using database = await testDatabase();
    await using store = await open(database.url);
    await database.run("drop table chaya.facts");
    await expect(store.apply([add(store, "a")])).rejects.toBeInstanceOf(pg.DatabaseError);
  });
});

describe("the partitions of PostgreSQL", () => {
  it("are the days around now, and take over what came before them", async () => {
    await using database = await testDatabase();
    const clock = new ManualClock(Date.UTC(2030, 1, 27, 12));
    await using early = await openTelemetry(database.url, clock);
    const ids = [0, 3, 4, 5].map((days) => createIds({ nowMs: () => clock.nowMs() + days * dayMs }, random())());
    await early.apply([{ query: early.db.insertInto("log_lines").values(ids.map(line)) }]);
    expect(await database.rowsOf("chaya_telemetry.log_lines_default")).toBe(2);
    clock.jump(2 * dayMs);
    await early.trim("log_lines", 0);
    expect(await database.rowsOf("chaya_telemetry.log_lines_default")).toBe(0);
    expect(await database.rowsOf("chaya_telemetry.log_lines_20300303")).toBe(1);
    const found = await early.db.selectFrom("log_lines").select("id").orderBy("id").execute();
    expect(found.map(({ id }) => id)).toEqual(ids);
  });

  it("go as whole days, while other nodes write", async () => {
    await using database = await testDatabase();
    const clock = new ManualClock(Date.UTC(2030, 1, 1));
    const nodes = await Promise.all([openTelemetry(database.url, clock), openTelemetry(database.url, clock)]);
    const newId = createIds(clock, random());
    const [first, second] = nodes;
    const insert = (node: Store<TelemetryTables>) =>
      node.apply([{ query: node.db.insertInto("log_lines").values(line(newId())), expect: 1 }]);
    await Promise.all(nodes.map(insert));
    clock.jump(2 * dayMs);
    await Promise.all([...nodes.map((node) => node.trim("log_lines", clock.nowMs())), ...nodes.map(insert)]);
    expect(await first?.db.selectFrom("log_lines").select("id").execute()).toHaveLength(2);
    await expect(database.rowsOf("chaya_telemetry.log_lines_20300201")).rejects.toThrow(/does not exist/);
    await first?.[Symbol.asyncDispose]();
    await second?.[Symbol.asyncDispose]();
  });
});

function openTelemetry(url: string, clock: ManualClock): Promise<Store<TelemetryTables>> {
  return openPostgresStore<TelemetryTables>({
    url,
    schema: "chaya_telemetry",
    migrations: telemetryMigrations,
    clock,
    random: random(),
  });
}

function line(id: string): TelemetryTables["log_lines"] {
  return {
    id,
    at_ms: 0,
    application_id: "a",
    function_id: "f",
    call_id: null,
    stream: "stdout",
    text: Uint8Array.of(0),
    cause_id: null,
    trace_id: null,
  };
}

function add(store: Store<MainTables>, key: string): Statement {
  return { query: store.db.insertInto("facts").values({ key, value: "1" }), expect: 1 };
}
