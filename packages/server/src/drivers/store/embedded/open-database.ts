import { existsSync, readFileSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { CompiledMigration } from "../migrations/compile-migrations.ts";
import { planMigrations } from "../migrations/plan-migrations.ts";
import { DamagedError } from "./sqlite-failure.ts";
import type { ThreadData } from "./thread-messages.ts";
import { hasLostCommits } from "./write-ahead-log.ts";
import { rollback } from "./write-group.ts";

const busyMs = 5_000;
/** Checking costs about a millisecond for each MiB; a larger file shows its damage when the page is read. */
const checkedBytesMax = 32 * 1024 * 1024;

/** Opens or makes the database, and brings its schema up to date. Acknowledged will mean on disk: `synchronous=FULL`. */
export function openForWriting({ file, migrations, nowMs, bytesMax }: ThreadData): DatabaseSync {
  checkLog(`${file}-wal`);
  const database = new DatabaseSync(file, { timeout: busyMs });
  try {
    // Has an effect only before the first table is made: freed pages can then be given back.
    database.exec("pragma auto_vacuum = incremental");
    database.exec("pragma journal_mode = wal; pragma synchronous = full; pragma journal_size_limit = 67108864");
    // What a savepoint may have to bring back: of one group, and never needed after a crash.
    database.exec("pragma temp_store = memory");
    if (bytesMax !== undefined) limitBytes(database, bytesMax);
    if (statSync(file).size <= checkedBytesMax) checkPages(file, database);
    migrate(database, migrations, nowMs);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

export function openForReading({ file }: ThreadData): DatabaseSync {
  return new DatabaseSync(file, { readOnly: true, timeout: busyMs });
}

function limitBytes(database: DatabaseSync, bytesMax: number): void {
  const pageBytes = Number(database.prepare("pragma page_size").get()?.page_size);
  database.exec(`pragma max_page_count = ${Math.floor(bytesMax / pageBytes)}`);
}

/** Before SQLite opens it: then the log is cut where the damage begins. */
function checkLog(log: string): void {
  if (existsSync(log) && hasLostCommits(readFileSync(log)))
    throw new DamagedError(log, "a frame does not match its checksum, and frames follow it");
}

function checkPages(file: string, database: DatabaseSync): void {
  const finding = database.prepare("pragma quick_check(1)").get()?.quick_check;
  if (finding !== "ok") throw new DamagedError(file, `SQLite's check says '${finding}'`);
}

/** The database does not fit this program. */
export class UnfitError extends Error {
  override readonly name = "UnfitError";
}

function migrate(database: DatabaseSync, migrations: readonly CompiledMigration[], nowMs: number): void {
  database.exec("begin immediate");
  try {
    database.exec(
      "create table if not exists migrations (name text primary key, digest text, applied_at_ms integer) strict",
    );
    const applied = database.prepare("select name, digest from migrations order by name").all();
    const record = database.prepare("insert into migrations (name, digest, applied_at_ms) values (?, ?, ?)");
    const plan = planMigrations(migrations, applied.map(readApplied));
    if (plan.kind === "unfit") throw new UnfitError(plan.reason);
    for (const migration of plan.pending) {
      for (const statement of migration.statements) database.exec(statement);
      record.run(migration.name, migration.digest, BigInt(nowMs));
    }
    database.exec("commit");
  } catch (error) {
    rollback(database);
    throw error;
  }
}

function readApplied(row: Record<string, unknown>): Pick<CompiledMigration, "name" | "digest"> {
  return { name: String(row.name), digest: String(row.digest) };
}
