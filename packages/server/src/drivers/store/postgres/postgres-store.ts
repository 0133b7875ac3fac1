import { isProblem, Problem } from "@chaya/contract";
import { type CompiledQuery, type Kysely, type RawBuilder, sql } from "kysely";
import pg from "pg";
import { AssertionError, assert } from "../../../kernel/assert.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { idPrefixAt } from "../../../kernel/ids.ts";
import type { Random } from "../../../kernel/random.ts";
import { bindParameters, bindStatement, compileQuery } from "../bind-statement.ts";
import {
  type Applied,
  type ColumnType,
  type Migration,
  type Statement,
  type StatementResult,
  type Store,
  transactionMsMax,
} from "../driver.ts";
import { HintListeners } from "../hint-listeners.ts";
import { type OpenTransaction, runInteractive, TransactionScope } from "../interactive-transaction.ts";
import { compileMigrations } from "../migrations/compile-migrations.ts";
import { kyselyOver } from "../query-runner.ts";
import { AppendGroup, isAppend } from "./append-group.ts";
import { applyBatch, readResult } from "./apply-batch.ts";
import { Connections } from "./connections.ts";
import { migrateSchema } from "./migrate-schema.ts";
import { Notifications } from "./notifications.ts";
import { dropPartitions, partitionedTables, preparePartitions } from "./partitions.ts";
import { postgresFailure } from "./postgres-failure.ts";

export interface PostgresStoreOptions {
  /** `postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE`; never logged. */
  readonly url: string;
  /** Of this store's tables; made when it is missing. */
  readonly schema: string;
  readonly migrations: readonly Migration[];
  readonly clock: Clock;
  readonly random: Random;
  /** Whose time leases are judged by: the database's, which all nodes share, unless a test turns its own. */
  readonly timeOf?: "database" | "clock";
  readonly transactionMsMax?: number;
}

/**
 * Opens the store in a schema of a PostgreSQL database, and makes or migrates it. Throws `store-unfit` when a newer
 * version wrote it, `store-unavailable` when the database cannot be reached.
 */
export async function openPostgresStore<Tables>(options: PostgresStoreOptions): Promise<Store<Tables>> {
  await migrateSchema(options, compileMigrations(options.migrations, "postgres"));
  const store = new PostgresStore<Tables>(options);
  try {
    await store.start();
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw postgresFailure(error).error;
  }
}

class PostgresStore<Tables> implements Store<Tables> {
  readonly kind = "postgres";
  readonly claimsSkipLocked = true;
  readonly db: Kysely<Tables>;
  readonly #options: PostgresStoreOptions;
  readonly #connections: Connections;
  readonly #appends: AppendGroup;
  readonly #notifications: Notifications;
  readonly #listeners = new HintListeners();
  readonly #scope = new TransactionScope();
  readonly #pending = new Set<Promise<unknown>>();
  #partitioned: readonly string[] = [];
  #isDiskFull = false;
  #closing: Promise<void> | undefined;

  constructor(options: PostgresStoreOptions) {
    this.#options = options;
    this.#connections = new Connections(options);
    this.#appends = new AppendGroup(this.#connections);
    const { clock, random } = options;
    const shared = { connections: this.#connections, listeners: this.#listeners, clock, random };
    this.#notifications = new Notifications({ ...shared, options, pendingWrites: () => this.#pendingWrites() });
    this.db = kyselyOver<Tables>("postgres", (query) => this.#read(query));
  }

  async start(): Promise<void> {
    await this.#notifications.start();
    await this.#connections.write(async (client) => {
      this.#partitioned = await partitionedTables(client, this.#options.schema);
      await this.#preparePartitions(client);
    });
  }

  async apply(statements: readonly Statement[]): Promise<Applied> {
    this.#scope.assertOutside("apply()");
    this.#requireOpen();
    const queries = statements.map((statement) => ({
      ...statement,
      query: compileQuery(statement),
      expect: statement.expect ?? "any",
    }));
    const batch = queries.map(bindStatement);
    if (batch.length === 0) return { kind: "applied", results: [] };
    const isAppends = queries.every(({ query, expect }) => isAppend(query, expect));
    return this.#track(isAppends ? this.#appends.append(batch) : applyBatch(this.#connections, batch));
  }

  async transaction<T>(work: (tx: Kysely<Tables>) => Promise<T>): Promise<T> {
    this.#scope.assertOutside("transaction()");
    this.#requireOpen();
    return this.#track(this.#repeatTransaction(work));
  }

  rowsOf(columns: readonly ColumnType[]): RawBuilder<unknown> {
    const lists = columns.map((type, index) => `$${index + 1}::${listTypes[type]}`);
    return sql.raw(`select * from unnest(${lists.join(", ")})`);
  }

  now(): RawBuilder<number> {
    if (this.#options.timeOf === "clock") return sql<number>`cast(${this.#options.clock.nowMs()} as bigint)`;
    return databaseNow;
  }

  async nowMs(): Promise<number> {
    if (this.#options.timeOf === "clock") return this.#options.clock.nowMs();
    const { rows } = await sql<{ now: number }>`select ${databaseNow} as now`.execute(this.db);
    assert(rows[0] !== undefined, "a select without a table gives one row");
    return rows[0].now;
  }

  hint(channel: string): void {
    this.#scope.leave(() => this.#notifications.send(channel));
  }

  onHint(channel: string, listener: () => void): Disposable {
    return this.#listeners.add(channel, listener);
  }

  async trim(table: keyof Tables & string, beforeMs: number): Promise<void> {
    this.#scope.assertOutside("trim()");
    this.#requireOpen();
    const of = { schema: this.#options.schema, table };
    if (!this.#partitioned.includes(table)) return this.#deleteOld(table, beforeMs);
    try {
      await this.#connections.write(async (client) => {
        await dropPartitions(client, of, beforeMs);
        await this.#preparePartitions(client);
      });
    } catch (error) {
      throw postgresFailure(error).error;
    }
  }

  async health(): Promise<{ readonly bytes: number; readonly isWritable: boolean }> {
    const { rows } = await sql<{ bytes: number; is_standby: number }>`
      select coalesce(sum(pg_total_relation_size(oid)), 0) as bytes, pg_is_in_recovery() as is_standby
        from pg_class where relkind = 'r' and relnamespace = ${this.#options.schema}::regnamespace`.execute(this.db);
    assert(rows[0] !== undefined, "an aggregate gives one row");
    return { bytes: rows[0].bytes, isWritable: rows[0].is_standby === 0 && !this.#isDiskFull };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#pendingWrites();
    await this.#notifications[Symbol.asyncDispose]();
    await this.#connections[Symbol.asyncDispose]();
  }

  async #read(query: CompiledQuery): Promise<StatementResult> {
    this.#scope.assertOutside("db");
    this.#requireOpen();
    const values = [...bindParameters(query)];
    try {
      return readResult(await this.#connections.read((client) => client.query({ text: query.sql, values })));
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === readOnlyTransaction)
        throw new AssertionError("db only reads; write with apply or transaction");
      throw postgresFailure(error).error;
    }
  }

  async #repeatTransaction<T>(work: (tx: Kysely<Tables>) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const conflicts: Problem[] = [];
      try {
        return await this.#connections.write((client) => this.#runTransaction(client, { conflicts, work }));
      } catch (error) {
        if (conflicts.length === 0 || attempt === attemptsMax) throw error;
      }
    }
  }

  async #runTransaction<T>(client: pg.PoolClient, { conflicts, work }: Attempt<Tables, T>): Promise<T> {
    const { clock } = this.#options;
    const msMax = this.#options.transactionMsMax ?? transactionMsMax;
    const open = openTransaction(client, conflicts);
    await open.begin();
    return runInteractive<Tables, T>({ kind: this.kind, clock, msMax }, this.#scope, { open, work });
  }

  async #preparePartitions(client: pg.PoolClient): Promise<void> {
    const { schema, clock } = this.#options;
    for (const table of this.#partitioned) await preparePartitions(client, { schema, table }, clock.nowMs());
  }

  async #deleteOld(table: keyof Tables & string, beforeMs: number): Promise<void> {
    const name = sql.table(table);
    const old = sql`select id from ${name} where id < ${idPrefixAt(beforeMs)} order by id limit ${trimmedRows}`;
    const query = sql`delete from ${name} where id in (${old})`.compile(this.db);
    // Several rows may have the same id.
    for (let removed = trimmedRows; removed >= trimmedRows; ) {
      const applied = await this.apply([{ query }]);
      assert(applied.kind === "applied", "a deletion without expectation is not refused");
      removed = applied.results[0]?.affected ?? 0;
    }
  }

  async #track<T>(write: Promise<T>): Promise<T> {
    this.#pending.add(write);
    try {
      const result = await write;
      this.#isDiskFull = false;
      return result;
    } catch (error) {
      if (isProblem(error, "storage-full")) this.#isDiskFull = true;
      throw error;
    } finally {
      this.#pending.delete(write);
    }
  }

  async #pendingWrites(): Promise<void> {
    await Promise.allSettled([...this.#pending]);
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new Problem("store-unavailable", { reason: "it is closed" });
  }
}

interface Attempt<Tables, T> {
  /** Gets what was lost against another transaction. */
  readonly conflicts: Problem[];
  readonly work: (tx: Kysely<Tables>) => Promise<T>;
}

/** SQLSTATE. */
const readOnlyTransaction = "25006";
const attemptsMax = 5;
/** A transaction that waits for a lock holds others: it gives up long before a statement of its own would. */
const lockMsMax = 1_000;
const trimmedRows = 2_000;
const listTypes: Readonly<Record<ColumnType, string>> = { text: "text[]", integer: "bigint[]", blob: "bytea[]" };

/** Stable within a statement, so that an index can be used to compare with it. */
const databaseNow = sql<number>`(floor(extract(epoch from statement_timestamp()) * 1000)::bigint)`;

function openTransaction(client: pg.PoolClient, conflicts: Problem[]): OpenTransaction & { begin(): Promise<void> } {
  const send = async (text: string, values?: readonly unknown[]) => {
    try {
      return await client.query<Record<string, unknown>>(
        values === undefined ? { text } : { text, values: [...values] },
      );
    } catch (error) {
      const failure = postgresFailure(error);
      if (failure.kind === "conflict") conflicts.push(failure.error);
      throw failure.error;
    }
  };
  return {
    begin: async () => void (await send(`begin; set local lock_timeout = ${lockMsMax}`)),
    run: async (query) => readResult(await send(query.sql, bindParameters(query))),
    commit: async () => {
      const { command } = await send("commit");
      assert(command === "COMMIT", "a transaction without failures commits");
    },
    // A connection that cannot roll back is not used again, and the server rolls back when it ends.
    rollback: async () => void (await send("rollback").catch(() => undefined)),
  };
}
