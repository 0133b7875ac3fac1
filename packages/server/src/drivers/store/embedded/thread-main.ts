import { setPriority } from "node:os";
import type { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../../kernel/assert.ts";
import { openForReading, openForWriting, UnfitError } from "./open-database.ts";
import { sqliteFailure } from "./sqlite-failure.ts";
import { StatementCache } from "./statement-cache.ts";
import type { ThreadData, ThreadReply, ThreadRequest } from "./thread-messages.ts";
import { rollback, writeGroup } from "./write-group.ts";

// Entry of a database thread: one connection, one request at a time.

const backgroundNiceness = 10;

interface Connection {
  readonly database: DatabaseSync;
  readonly cache: StatementCache;
}

const port = parentPort;
assert(port !== null, "this file is the entry of a worker thread");
// database-thread.ts starts this file, with exactly this.
const data = workerData as ThreadData;
let connection: Connection | undefined;
// Linux takes 0 for this thread; elsewhere it would be the whole process.
if (data.isBackground && data.role === "writer" && process.platform === "linux") setPriority(0, backgroundNiceness);

port.on("message", (request: ThreadRequest) => {
  port.postMessage(answer(request));
  if (request.kind === "close") port.close();
});

function answer(request: ThreadRequest): ThreadReply {
  try {
    return perform(request);
  } catch (error) {
    if (error instanceof UnfitError) return { kind: "unfit", reason: error.message };
    const failure = sqliteFailure(error);
    const isForbidden = request.kind === "read" && failure.kind === "readonly";
    return { kind: "failed", failure: isForbidden ? { ...failure, kind: "forbidden" } : failure };
  }
}

function perform(request: ThreadRequest): ThreadReply {
  if (request.kind === "open") {
    const database = data.role === "writer" ? openForWriting(data) : openForReading(data);
    connection = { database, cache: new StatementCache(database) };
    return { kind: "done" };
  }
  if (request.kind === "close") {
    connection?.database.close();
    return { kind: "done" };
  }
  assert(connection !== undefined, "the database is opened first");
  return performOn(connection, request);
}

function performOn(
  { database, cache }: Connection,
  request: Exclude<ThreadRequest, { kind: "open" | "close" }>,
): ThreadReply {
  switch (request.kind) {
    case "group":
      return { kind: "group", outcomes: writeGroup(database, cache, request.batches) };
    case "run":
      return { kind: "result", result: cache.run(request.statement) };
    case "read":
      return { kind: "result", result: readOnly(database, () => cache.run(request.statement)) };
    case "begin":
      rollback(database);
      database.exec("begin immediate");
      return { kind: "done" };
    case "commit":
      database.exec("commit");
      return { kind: "done" };
    case "rollback":
      rollback(database);
      return { kind: "done" };
    case "shrink":
      database.exec(`pragma incremental_vacuum(${request.pagesMax})`);
      return { kind: "done" };
    default:
      return request satisfies never;
  }
}

/** The connection of the reader cannot write anyway. */
function readOnly<T>(database: DatabaseSync, read: () => T): T {
  if (data.role === "reader") return read();
  database.exec("pragma query_only = on");
  try {
    return read();
  } finally {
    database.exec("pragma query_only = off");
  }
}
