import type { CompiledQuery } from "kysely";
import { AssertionError, assert } from "../../kernel/assert.ts";
import type { Rows, Statement } from "./driver.ts";
import type { SqlValue } from "./sql-value.ts";

export interface BoundStatement {
  readonly sql: string;
  readonly parameters: readonly SqlValue[];
  readonly rows: Rows | undefined;
  readonly expect: number | "any" | "some";
}

/** SQLite's own limit; PostgreSQL's is twice as high. */
const parametersMax = 32_766;

/** Compiles a statement and checks its parameters, so that both stores refuse the same values. */
export function bindStatement(statement: Statement): BoundStatement {
  const query = compileQuery(statement);
  const { rows, expect = "any" } = statement;
  const parameters = bindParameters(query);
  assert(rows === undefined || parameters.length === 0, "the rows are all that an insert from rows is given");
  return { sql: query.sql, parameters, rows, expect };
}

export function compileQuery({ query }: Statement): CompiledQuery {
  return "compile" in query ? query.compile() : query;
}

/**
 * A value that one of the databases would refuse or silently change (SQLite turns undefined and dates into NULL,
 * PostgreSQL has no U+0000 in text) is a bug of the caller and refused on both.
 */
export function bindParameters(query: CompiledQuery): readonly SqlValue[] {
  const { parameters, sql } = query;
  assert(parameters.length <= parametersMax, `a statement has at most ${parametersMax} parameters`);
  return parameters.map((value, index) => bindValue(value, index, sql));
}

/** Hot path: without a closure or an object for each value. */
function bindValue(value: unknown, index: number, sql: string): SqlValue {
  if (value === null) return null;
  let why: string | undefined;
  switch (typeof value) {
    case "string":
      why = whyNotText(value);
      if (why === undefined) return value;
      break;
    case "number":
      if (Number.isSafeInteger(value)) return value;
      why = `${value} is not an integer within ±2^53`;
      break;
    case "bigint":
      if (Number.isSafeInteger(Number(value))) return Number(value);
      why = `${value} is not an integer within ±2^53`;
      break;
    case "boolean":
      why = "booleans are stored as 0 and 1";
      break;
    default:
      // A copy: it may be a view of a larger buffer, which would be sent whole, or of one that is used again.
      if (value instanceof Uint8Array) return new Uint8Array(value);
      why = value === undefined ? "undefined is not a value; use null" : "objects are not values";
  }
  throw new AssertionError(`${why} (parameter ${index + 1} of: ${sql})`);
}

function whyNotText(text: string): string | undefined {
  if (text.includes("\u0000")) return "text with U+0000 belongs into a blob";
  return text.isWellFormed() ? undefined : "text with half of a surrogate pair cannot be stored";
}
