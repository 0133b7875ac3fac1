import {
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { idPrefixAt } from "../../../kernel/ids.ts";
import { seededRandom } from "../../../kernel/random.ts";
import { connections } from "../../../testing/connections.ts";
import { ManualClock } from "../../../testing/manual-clock.ts";
import { facts } from "../../../testing/store-bench.ts";
import { testStore } from "../../../testing/stores.ts";
import { storeConformance } from "../conformance.ts";
import type { Statement, Store } from "../driver.ts";
import { mainMigrations } from "../migrations/main-migrations.ts";
import { telemetryMigrations } from "../migrations/telemetry-migrations.ts";
import type { MainTables, TelemetryTables } from "../tables.ts";
import { type EmbeddedStoreOptions, openEmbeddedStore } from "./embedded-store.ts";

storeConformance("embedded", testStore("embedded"));

describe("the embedded store", () => {
  let directory: string;
  let file: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "chaya-embedded-"));
    file = join(directory, "main.db");
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const open = (options: Partial<EmbeddedStoreOptions> = {}) =>
    openEmbeddedStore<MainTables>({ file, migrations: mainMigrations, clock: new ManualClock(), ...options });

  it("refuses writes while the disk is nearly full, reads on, and resumes by itself", async () => {
    let freeBytes = 51;
    await using store = await open({ readRoom: () => ({ bytes: 1_000, freeBytes }) });
    await store.apply([add(store, "a")]);
    freeBytes = 49;
    await expect(store.apply([add(store, "b")])).rejects.toMatchObject({
      code: "storage-full",
      fields: { freeBytes: 49 },
    });
    await expect(store.transaction(async () => {})).rejects.toMatchObject({ code: "storage-full" });
    expect(await store.health()).toMatchObject({ isWritable: false });
    expect(await facts(store)).toEqual({ a: "1" });
    freeBytes = 50;
    await store.apply([add(store, "c")]);
    expect(await facts(store)).toEqual({ a: "1", c: "1" });
  });

  it("reads with the thread that writes until many reads have to wait, and from then on with another", async () => {
    await using store = await open();
    await store.apply([add(store, "a")]);
    for (let read = 0; read < 20; read++) expect(await facts(store)).toEqual({ a: "1" });
    const readWhileWriting = (key: string) => Promise.all([store.apply([add(store, key)]), facts(store)]);
    await readWhileWriting("b");
    expect(connections(file)).toBe(1);
    for (let write = 0; write < 10; write++) {
      const [, seen] = await readWhileWriting(`c${write}`);
      expect(seen).toMatchObject({ a: "1", b: "1", ...(write > 0 && { [`c${write - 1}`]: "1" }) });
    }
    expect(connections(file)).toBe(2);
  });

  it("ends all threads of a store that nobody waits for, and loses nothing", async () => {
    const clock = new ManualClock();
    await using store = await open({ clock, isBackground: true });
    await store.apply([add(store, "a")]);
    expect(await facts(store)).toEqual({ a: "1" });
    for (const name of ["b", "c"]) {
      await clock.advance(60_000);
      await expect.poll(() => connections(file)).toBe(0);
      await Promise.all([store.apply([add(store, `${name}1`)]), store.apply([add(store, `${name}2`)])]);
    }
    await clock.advance(60_000);
    expect(Object.keys(await facts(store)).sort()).toEqual(["a", "b1", "b2", "c1", "c2"]);
  });

  it("closes while its threads are being ended or started", async () => {
    const clock = new ManualClock();
    const store = await open({ clock, isBackground: true });
    await store.apply([add(store, "a")]);
    await clock.advance(60_000);
    const written = store.apply([add(store, "b")]);
    await store[Symbol.asyncDispose]();
    expect(await written).toMatchObject({ kind: "applied" });
    expect(connections(file)).toBe(0);
    await expect(facts(store)).rejects.toMatchObject({ code: "store-unavailable" });
    await using again = await open();
    expect(await facts(again)).toEqual({ a: "1", b: "1" });
  });

  it("loses nothing it acknowledged when the file cannot grow, and goes on once there is room", async () => {
    let freeBytes = 1_000;
    await using store = await openEmbeddedStore<TelemetryTables>({
      file,
      migrations: telemetryMigrations,
      clock: new ManualClock(),
      bytesMax: 400_000,
      readRoom: () => ({ bytes: 1_000, freeBytes }),
    });
    const line = (id: string): Statement => ({
      query: store.db.insertInto("log_lines").values({
        id,
        at_ms: 0,
        application_id: "a",
        function_id: "f",
        stream: "stdout",
        text: new Uint8Array(10_000),
      }),
      expect: 1,
    });
    const ids = Array.from({ length: 100 }, (_, index) => `${idPrefixAt(index)}X`);
    const outcomes = await Promise.allSettled(ids.map((id) => store.apply([line(id)])));
    const full = outcomes.find((outcome) => outcome.status === "rejected");
    expect(full?.reason).toMatchObject({ code: "storage-full" });
    const written: string[] = [];
    for (const id of ids) {
      const outcome = await Promise.allSettled([store.apply([line(id)])]);
      if (outcome[0].status === "rejected") break;
      written.push(id);
    }
    expect(written.length).toBeGreaterThan(10);
    const found = await store.db.selectFrom("log_lines").select("id").orderBy("id").execute();
    expect(found.map(({ id }) => id)).toEqual(written);
    // Trimming makes the room, so it works below the limit of free space as well.
    freeBytes = 0;
    const before = await store.health();
    await store.trim("log_lines", 1_000_000);
    expect((await store.health()).bytes).toBeLessThan(before.bytes / 2);
    freeBytes = 1_000;
    expect(await store.apply([line("again")])).toMatchObject({ kind: "applied" });
  });

  it("gives trimmed space back to the file system", async () => {
    await using store = await open();
    const rows = Array.from({ length: 2_000 }, (_, index) => `${idPrefixAt(index)}${"x".repeat(500)}`);
    await store.apply(
      rows.map((id) => ({ query: store.db.insertInto("nodes").values({ id, started_at_ms: 0, seen_at_ms: 0 }) })),
    );
    await store.trim("nodes", 1_000_000);
    await store[Symbol.asyncDispose]();
    expect(readFileSync(file).length).toBeLessThan(500_000);
  });

  it("says that a file is not a database, or a damaged one", async () => {
    writeFileSync(file, Buffer.alloc(10_000, 7));
    await expect(open()).rejects.toThrow(`'${file}' is damaged: SQLite says 'file is not a database'`);
    rmSync(file);
    await (await open())[Symbol.asyncDispose]();
    const pages = openSync(file, "r+");
    for (let page = 2; page < 12; page++) writeSync(pages, Buffer.alloc(4_000, 0x55), 0, 4_000, page * 4_096);
    await expect(open()).rejects.toMatchObject({
      ...{ code: "store-damaged", fields: { file }, hint: /restore the file from a backup/ },
    });
  });

  it("loses only the end of a log whose end was lost, and refuses one with damage before its end", async () => {
    const sizes = await writeLog();
    const [beforeLast = 0, end = 0] = sizes.slice(-2);
    const random = seededRandom(4);
    for (let round = 0; round < 5; round++) {
      const cut = beforeLast + Math.floor(random.number() * (end - beforeLast));
      await using repaired = await open({ file: copyWith((log) => truncateSync(log, cut)) });
      expect(await facts(repaired)).toEqual({ a: "1", b: "1" });
      expect(await repaired.apply([add(repaired, "c")])).toMatchObject({ kind: "applied" });
    }
    const header = [0, 3, 9, 20, 26];
    const frames = Array.from({ length: 5 }, () => Math.floor(random.number() * beforeLast));
    for (const position of [...header, ...frames]) {
      const flipped = copyWith((log) => flipBit(log, position));
      const damage = { code: "store-damaged", fields: { file: `${flipped}-wal` } };
      await expect(open({ file: flipped })).rejects.toMatchObject(damage);
    }
  });

  /** Three commits; gives the size of the log after each. The store is left open, as a crash leaves it. */
  async function writeLog(): Promise<readonly number[]> {
    const sizes: number[] = [];
    await using store = await open();
    for (const key of ["a", "b", "c"]) {
      await store.apply([add(store, key)]);
      sizes.push(statSync(`${file}-wal`).size);
    }
    copyFileSync(file, join(directory, "crashed.db"));
    copyFileSync(`${file}-wal`, join(directory, "crashed.db-wal"));
    return sizes;
  }

  /** A copy of what `writeLog` left, with a log that was changed. */
  function copyWith(change: (log: string) => void): string {
    const copy = join(mkdtempSync(join(directory, "copy-")), "main.db");
    copyFileSync(join(directory, "crashed.db"), copy);
    copyFileSync(join(directory, "crashed.db-wal"), `${copy}-wal`);
    change(`${copy}-wal`);
    return copy;
  }

  it("refuses a file that a newer version changed, and leaves it as it is", async () => {
    const newer = [...mainMigrations, { name: "0002-later", statements: () => ["create table later (a text) strict"] }];
    await (await open({ migrations: newer }))[Symbol.asyncDispose]();
    await expect(open()).rejects.toThrow(/newer version changed it \(migration 0002-later\)/);
    await (await open({ migrations: newer }))[Symbol.asyncDispose]();
  });

  it("keeps nothing of a migration that fails half way", async () => {
    await (await open())[Symbol.asyncDispose]();
    const broken = [
      ...mainMigrations,
      { name: "0002-broken", statements: () => ["create table half (a text) strict", "no sql"] },
    ];
    await expect(open({ migrations: broken })).rejects.toThrow(/syntax error/);
    const mended = [
      ...mainMigrations,
      { name: "0002-mended", statements: () => ["create table half (a text) strict"] },
    ];
    await (await open({ migrations: mended }))[Symbol.asyncDispose]();
  });
});

function flipBit(path: string, position: number): void {
  const bytes = readFileSync(path);
  bytes[position] = (bytes[position] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

function add(store: Store<MainTables>, key: string): Statement {
  return { query: store.db.insertInto("facts").values({ key, value: "1" }), expect: 1 };
}
