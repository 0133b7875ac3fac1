import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { BoundStatement } from "../bind-statement.ts";
import type { Rows, StatementResult } from "../driver.ts";
import { eachRow } from "../row-buffer.ts";
import type { SqlValue } from "../sql-value.ts";

interface Prepared {
  readonly statement: StatementSync;
  readonly returnsRows: boolean;
}

/** Runs statements on one connection and keeps the last used ones prepared. */
export class StatementCache {
  readonly #database: DatabaseSync;
  readonly #countMax: number;
  /** In order of use: a Map keeps the order of insertion. */
  readonly #prepared = new Map<string, Prepared>();

  constructor(database: DatabaseSync, countMax = 256) {
    this.#database = database;
    this.#countMax = countMax;
  }

  run({ sql, parameters, rows: inserted }: Omit<BoundStatement, "expect">): StatementResult {
    const { statement, returnsRows } = this.#prepare(sql);
    if (inserted !== undefined) return { affected: insertRows(statement, inserted), rows: [] };
    const values = parameters.map(bindable);
    if (!returnsRows) return { affected: Number(statement.run(...values).changes), rows: [] };
    const rows = statement.all(...values);
    return { affected: rows.length, rows };
  }

  #prepare(sql: string): Prepared {
    const known = this.#prepared.get(sql);
    if (known !== undefined) {
      this.#prepared.delete(sql);
      this.#prepared.set(sql, known);
      return known;
    }
    const statement = this.#database.prepare(sql);
    const prepared = { statement, returnsRows: statement.columns().length > 0 };
    this.#prepared.set(sql, prepared);
    if (this.#prepared.size > this.#countMax) {
      const [oldest] = this.#prepared.keys();
      if (oldest !== undefined) this.#prepared.delete(oldest);
    }
    return prepared;
  }
}

/** One by one: SQLite is not faster with many rows in a statement. */
function insertRows(statement: StatementSync, rows: Rows): number {
  let affected = 0;
  // Numbers as they are: a column of integers makes integers of them, exactly.
  eachRow(rows, (values) => {
    affected += Number(statement.run(...values).changes);
  });
  return affected;
}

/** node:sqlite binds numbers as floating point: `? / 2` would not be a division of integers. */
function bindable(value: SqlValue): string | bigint | Uint8Array | null {
  return typeof value === "number" ? BigInt(value) : value;
}
