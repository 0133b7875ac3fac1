import { Problem } from "@chaya/contract";
import pg from "pg";
import { Semaphore } from "../../../kernel/semaphore.ts";
import { postgresFailure } from "./postgres-failure.ts";
import { valueParsers } from "./value-parsers.ts";

export interface ConnectionOptions {
  readonly url: string;
  /** Of the tables: several stores may share a database. */
  readonly schema: string;
}

const writersMax = 8;
const readersMax = 4;
const waitingMax = 50_000;
/** No statement of ours takes nearly as long: what does, waits for something that does not come. */
const statementMsMax = 30_000;
const lockMsMax = 2_000;

/** Two pools, so that long reads never keep writes waiting, and a read cannot write. */
export class Connections implements AsyncDisposable {
  readonly #writers: pg.Pool;
  readonly #readers: pg.Pool;
  /** What lost against another transaction is repeated alone, so that it does not lose against its likes again. */
  readonly repeats = new Semaphore(1);

  constructor(options: ConnectionOptions) {
    this.#writers = pool(options, { max: writersMax, isReadOnly: false });
    this.#readers = pool(options, { max: readersMax, isReadOnly: true });
  }

  /** Runs `task` with a connection of its own. Throws a Problem when there is none; else what `task` throws. */
  write<T>(task: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    return withClient(this.#writers, task);
  }

  /** A read whose connection is lost is repeated: after a restart of the server every pooled one is stale. */
  async read<T>(task: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    for (let stale = 0; ; stale++) {
      try {
        return await withClient(this.#readers, task);
      } catch (error) {
        // A Problem says that no new connection could be made either.
        if (error instanceof Problem || stale >= readersMax || !isConnectionLost(error)) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#writers.end(), this.#readers.end()]);
  }
}

function isConnectionLost(error: unknown): boolean {
  const failure = postgresFailure(error);
  return failure.kind === "unavailable" && failure.isConnectionLost;
}

/** What every connection of ours is opened with. */
export function clientConfig(
  { url, schema }: ConnectionOptions,
  settings: Readonly<Record<string, string>>,
): pg.ClientConfig {
  const all: Readonly<Record<string, string>> = {
    search_path: schema,
    default_transaction_isolation: "read\\ committed",
    statement_timeout: `${statementMsMax}`,
    lock_timeout: `${lockMsMax}`,
    idle_in_transaction_session_timeout: `${statementMsMax}`,
    client_encoding: "UTF8",
    bytea_output: "hex",
    ...settings,
  };
  return {
    connectionString: url,
    application_name: "chaya",
    options: Object.entries(all)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(" "),
    types: valueParsers,
    connectionTimeoutMillis: 10_000,
    // The server ends a statement before this; only a dead network lets it come so far.
    query_timeout: statementMsMax + 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

function pool(options: ConnectionOptions, { max, isReadOnly }: { max: number; isReadOnly: boolean }): pg.Pool {
  const settings = isReadOnly ? { default_transaction_read_only: "on" } : { synchronous_commit: "on" };
  const clients = new pg.Pool({ ...clientConfig(options, settings), pipeline: true, max, idleTimeoutMillis: 60_000 });
  // A connection that ends fails its queries, and the next query opens another one; the events say nothing more.
  clients.on("error", () => undefined);
  clients.on("connect", (client) => client.on("error", () => undefined));
  return clients;
}

async function withClient<T>(clients: pg.Pool, task: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  if (clients.waitingCount >= waitingMax)
    throw new Problem("store-unavailable", { reason: "too many queries wait for PostgreSQL" }, { retryAfterMs: 1_000 });
  const client = await connect(clients);
  try {
    return await task(client);
  } finally {
    // Outside of a transaction (I) it is sound for others, whatever was thrown. Lost ones leave the pool by themselves.
    client.release(client.getTransactionStatus() !== "I");
  }
}

async function connect(clients: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await clients.connect();
  } catch (error) {
    throw postgresFailure(error).error;
  }
}
