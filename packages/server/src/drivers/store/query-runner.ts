import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { assert } from "../../kernel/assert.ts";
import type { StatementResult, Store } from "./driver.ts";

/** Runs one compiled query wherever the store wants it to run. */
export type QueryRunner = (query: CompiledQuery) => Promise<StatementResult>;

/** Kysely in the dialect of a store, over `run`. Transactions are the store's own business, not Kysely's. */
export function kyselyOver<Tables>(kind: Store<unknown>["kind"], run: QueryRunner): Kysely<Tables> {
  const driver = () => runnerDriver(run);
  return new Kysely<Tables>({ dialect: kind === "postgres" ? postgresDialect(driver) : embeddedDialect(driver) });
}

function postgresDialect(createDriver: () => Driver): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver,
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

function embeddedDialect(createDriver: () => Driver): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver,
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

function runnerDriver(run: QueryRunner): Driver {
  const refuse = async () => assert(false, "use Store.transaction instead of Kysely's own");
  const connection: DatabaseConnection = {
    executeQuery: async <Row>(query: CompiledQuery): Promise<QueryResult<Row>> => {
      const { rows, affected } = await run(query);
      // Kysely's types promise the shape of the query's own tables; the border that parses rows is in records/.
      return { rows: rows as Row[], numAffectedRows: BigInt(affected) };
    },
    streamQuery: () => assert(false, "read page by page instead of streaming") as never,
  };
  return {
    init: async () => {},
    acquireConnection: async () => connection,
    beginTransaction: refuse,
    commitTransaction: refuse,
    rollbackTransaction: refuse,
    releaseConnection: async () => {},
    destroy: async () => {},
  };
}
