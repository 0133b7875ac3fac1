import { isProblem, Problem } from "@chaya/contract";
import pg from "pg";
import { assert } from "../../../kernel/assert.ts";
import type { CompiledMigration } from "../migrations/compile-migrations.ts";
import { planMigrations } from "../migrations/plan-migrations.ts";
import { type ConnectionOptions, clientConfig } from "./connections.ts";
import { postgresFailure } from "./postgres-failure.ts";

/** Of the lock that nodes take while they migrate: "chaya" in ASCII. Held until the transaction ends. */
const migrationLock = 0x6368617961;

/**
 * Makes the schema or brings it up to date, in one transaction. Nodes that start at once wait for each other. Throws
 * `store-unfit` when the database does not fit, `store-unavailable` when it cannot be reached.
 */
export async function migrateSchema(
  options: ConnectionOptions,
  migrations: readonly CompiledMigration[],
): Promise<void> {
  const client = new pg.Client(clientConfig(options, { statement_timeout: "0", lock_timeout: "0" }));
  // A lost connection fails the query that runs; the event says nothing more.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await migrate(client, options.schema, migrations);
  } catch (error) {
    if (isProblem(error)) throw error;
    throw postgresFailure(error).error;
  } finally {
    await client.end();
  }
}

async function migrate(client: pg.Client, schema: string, migrations: readonly CompiledMigration[]): Promise<void> {
  const encoding = await client.query<{ encoding: string }>("select current_setting('server_encoding') as encoding");
  if (encoding.rows[0]?.encoding !== "UTF8")
    throw new Problem("store-unfit", { reason: `it has the encoding ${encoding.rows[0]?.encoding}, not UTF8` });
  await client.query("begin");
  await client.query("select pg_advisory_xact_lock($1)", [migrationLock]);
  // The name is a constant of drivers.ts; the right to make a schema is needed only when it is missing.
  const known = await client.query("select 1 from pg_namespace where nspname = $1", [schema]);
  if (known.rows.length === 0) await client.query(`create schema ${pg.escapeIdentifier(schema)}`);
  await client.query(
    'create table if not exists migrations (name text collate "C" primary key, digest text not null, applied_at_ms bigint not null)',
  );
  const applied = await client.query<CompiledMigration>("select name, digest from migrations order by name");
  const plan = planMigrations(migrations, applied.rows);
  if (plan.kind === "unfit") throw new Problem("store-unfit", { reason: plan.reason });
  for (const migration of plan.pending) {
    for (const statement of migration.statements) await client.query(statement);
    await client.query(
      "insert into migrations values ($1, $2, floor(extract(epoch from statement_timestamp()) * 1000)::bigint)",
      [migration.name, migration.digest],
    );
  }
  const { command } = await client.query("commit");
  assert(command === "COMMIT", "a migration without failures commits");
}
