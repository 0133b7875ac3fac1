import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { Store } from "../drivers/store/driver.ts";
import { openEmbeddedStore } from "../drivers/store/embedded/embedded-store.ts";
import { compileMigrations } from "../drivers/store/migrations/compile-migrations.ts";
import { mainMigrations } from "../drivers/store/migrations/main-migrations.ts";
import { telemetryMigrations } from "../drivers/store/migrations/telemetry-migrations.ts";
import { openPostgresStore } from "../drivers/store/postgres/postgres-store.ts";
import type { MainTables, TelemetryTables } from "../drivers/store/tables.ts";
import { type Clock, systemClock } from "../kernel/clock.ts";
import { systemRandom } from "../kernel/random.ts";
import { ManualClock } from "./manual-clock.ts";

export interface TestStore {
  readonly kind: Store<unknown>["kind"];
  /** A fresh database. Leases and due times are judged by `clock` on both stores, so that tests can turn it. */
  open(clock?: Clock): Promise<OpenTestStore>;
}

/** Disposing closes what is open and removes the database. */
export interface OpenTestStore extends AsyncDisposable {
  readonly kind: Store<unknown>["kind"];
  readonly store: Store<MainTables>;
  readonly telemetry: Store<TelemetryTables>;
  /** The place of the database: a directory or a URL; what a server is told to use it. */
  readonly location: string;
  /** Closes both stores and opens them again on the same database. */
  reopen(): Promise<OpenTestStore>;
  /** A second node on the same database; on the embedded store, which has one node, the same stores. */
  openSecond(): Promise<OpenTestStore>;
}

/** Every store there is. A test over records runs on all of them. */
export function testStores(): readonly TestStore[] {
  return [testStore("embedded"), testStore("postgres")];
}

export function testStore(kind: TestStore["kind"]): TestStore {
  return {
    kind,
    open: async (clock = systemClock()) =>
      kind === "embedded" ? openEmbedded(clock, newDirectory()) : openPostgres(clock, await newDatabase()),
  };
}

interface Database {
  readonly location: string;
  remove(): Promise<void>;
}

async function openEmbedded(clock: Clock, database: Database): Promise<OpenTestStore> {
  const file = (name: string) => join(database.location, name);
  const store = await openEmbeddedStore<MainTables>({ file: file("main.db"), migrations: mainMigrations, clock });
  const telemetry = await openEmbeddedStore<TelemetryTables>({
    file: file("telemetry.db"),
    migrations: telemetryMigrations,
    clock,
  });
  const opened: OpenTestStore = {
    ...opening({ store, telemetry, database }, () => openEmbedded(clock, database)),
    openSecond: async () => ({ ...opened, [Symbol.asyncDispose]: async () => {} }),
  };
  return opened;
}

async function openPostgres(clock: Clock, database: Database): Promise<OpenTestStore> {
  const shared = { url: database.location, clock, random: systemRandom(), timeOf: "clock" } as const;
  const store = await openPostgresStore<MainTables>({ ...shared, schema: "chaya", migrations: mainMigrations });
  const telemetry = await openPostgresStore<TelemetryTables>({
    ...shared,
    schema: "chaya_telemetry",
    migrations: telemetryMigrations,
  });
  return {
    ...opening({ store, telemetry, database }, () => openPostgres(clock, database)),
    openSecond: () => openPostgres(clock, { ...database, remove: async () => {} }),
  };
}

interface Parts {
  readonly store: Store<MainTables>;
  readonly telemetry: Store<TelemetryTables>;
  readonly database: Database;
}

function opening(
  { store, telemetry, database }: Parts,
  open: () => Promise<OpenTestStore>,
): Omit<OpenTestStore, "openSecond"> {
  const close = async () => {
    await store[Symbol.asyncDispose]();
    await telemetry[Symbol.asyncDispose]();
  };
  return {
    kind: store.kind,
    store,
    telemetry,
    location: database.location,
    reopen: async () => {
      await close();
      return open();
    },
    [Symbol.asyncDispose]: async () => {
      await close();
      await database.remove();
    },
  };
}

function newDirectory(): Database {
  const location = mkdtempSync(join(tmpdir(), "chaya-store-"));
  return { location, remove: async () => rmSync(location, { recursive: true, force: true }) };
}

/** A database of PostgreSQL for tests of that store alone. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  /** One statement of the administrator, inside; `alter database current` means this one. */
  run(statement: string): Promise<void>;
  rowsOf(table: string): Promise<number>;
  /** Ends every session, as a server that is restarted does. */
  cutConnections(): Promise<void>;
}

/** With the schemas in it, unless it shall be empty. */
export async function testDatabase(options: { isEmpty?: boolean; encoding?: string } = {}): Promise<TestDatabase> {
  const database = await newDatabase(options);
  const name = new URL(database.location).pathname.slice(1);
  return {
    url: database.location,
    run: (statement) =>
      administrate(async (client) => {
        await client.query(statement.replace("alter database current", `alter database ${name}`));
      }, database.location),
    rowsOf: async (table) => {
      let count = 0;
      await administrate(async (client) => {
        count = Number((await client.query(`select count(*) as count from ${table}`)).rows[0]?.count);
      }, database.location);
      return count;
    },
    cutConnections: () =>
      administrate(async (client) => {
        await client.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [name]);
      }),
    [Symbol.asyncDispose]: database.remove,
  };
}

/** A copy of a database that has the schemas already: that takes 20 ms, making them takes hundreds. */
async function newDatabase(options: { isEmpty?: boolean; encoding?: string } = {}): Promise<Database> {
  const name = `chaya_test_${randomBytes(8).toString("hex")}`;
  await administrate(async (client) => {
    const template = options.isEmpty === true ? "template0" : await templateDatabase(client);
    const encoding = options.encoding === undefined ? "" : `encoding '${options.encoding}'`;
    await client.query(`create database ${name} template ${template} ${encoding}`);
  });
  const remove = () => administrate(async (client) => void (await client.query(`drop database ${name} with (force)`)));
  return { location: databaseUrl(name), remove };
}

/** Made once for each state of the migrations, by whoever comes first; the others wait. */
async function templateDatabase(client: pg.Client): Promise<string> {
  const compiled = [mainMigrations, telemetryMigrations].flatMap((list) => compileMigrations(list, "postgres"));
  const name = `chaya_template_${compiled.map(({ digest }) => digest.slice(0, 8)).join("_")}`;
  await client.query("select pg_advisory_lock(1)");
  const known = await client.query("select 1 from pg_database where datname = $1", [name]);
  if (known.rows.length === 0) {
    const unfinished = `${name}_new`;
    await client.query(`drop database if exists ${unfinished}`);
    await client.query(`create database ${unfinished}`);
    // Partitions are made for the days of both clocks that tests start with.
    for (const clock of [systemClock(), new ManualClock()]) {
      const database = { location: databaseUrl(unfinished), remove: async () => {} };
      await (await openPostgres(clock, database))[Symbol.asyncDispose]();
    }
    await client.query(`alter database ${unfinished} rename to ${name}`);
  }
  await client.query("select pg_advisory_unlock(1)");
  return name;
}

async function administrate(task: (client: pg.Client) => Promise<void>, url = serverUrl()): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await task(client);
  } finally {
    await client.end();
  }
}

function databaseUrl(name: string): string {
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  return url.href;
}

function serverUrl(): string {
  const url = process.env.CHAYA_TEST_POSTGRES;
  if (url === undefined)
    throw new Error("CHAYA_TEST_POSTGRES is missing: start the tests with npm test or npx vitest.");
  return url;
}
