// How fast this disk commits right now: durable figures are told relative to it.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { temporaryDirectory } from "./tools.ts";

/** Single-row commits a second with SQLite, WAL, synchronous=FULL: the bare cost of one acknowledged write. */
export function probeCommits(seconds = 2): number {
  const database = new DatabaseSync(join(temporaryDirectory("probe"), "probe.db"));
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)");
  const insert = database.prepare("INSERT INTO t (v) VALUES (?)");
  const startedMs = performance.now();
  let commits = 0;
  while (performance.now() - startedMs < seconds * 1000) {
    insert.run("x".repeat(200));
    commits++;
  }
  database.close();
  return commits / seconds;
}
