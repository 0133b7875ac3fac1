import type { CompiledQuery } from "kysely";
import { assert } from "../../kernel/assert.ts";
import type { Statement } from "./driver.ts";

/** What both databases can store and give back unchanged. Integers lie within ±2^53. */
export type SqlValue = string | number | Uint8Array | null;

export interface BoundStatement {
  readonly sql: string;
  readonly parameters: readonly SqlValue[];
  readonly expect: number | "any" | "some";
}

/** SQLite's own limit; PostgreSQL's is twice as high. */
const parametersMax = 32_766;

/** Compiles a statement and checks its parameters, so that both stores refuse the same values. */
export function bindStatement(statement: Statement): BoundStatement {
  const query = compileQuery(statement);
  return { sql: query.sql, parameters: bindParameters(query), expect: statement.expect ?? "any" };
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
  return parameters.map((value, index) => bindValue(value, () => `parameter ${index + 1} of: ${sql}`));
}

function bindValue(value: unknown, where: () => string): SqlValue {
  if (value === null) return null;
  switch (typeof value) {
    case "string":
      assertText(value, where);
      return value;
    case "number":
      if (!Number.isSafeInteger(value)) refuse(`${value} is not an integer within ±2^53`, where);
      return value;
    case "bigint":
      if (!Number.isSafeInteger(Number(value))) refuse(`${value} is not an integer within ±2^53`, where);
      return Number(value);
    case "boolean":
      return refuse("booleans are stored as 0 and 1", where);
    default:
      // A copy: it may be a view of a larger buffer, which would be sent whole, or of one that is used again.
      if (value instanceof Uint8Array) return new Uint8Array(value);
      return refuse(value === undefined ? "undefined is not a value; use null" : "objects are not values", where);
  }
}

function assertText(text: string, where: () => string): void {
  if (text.includes("\u0000")) refuse("text with U+0000 belongs into a blob", where);
  if (!text.isWellFormed()) refuse("text with half of a surrogate pair cannot be stored", where);
}

function refuse(why: string, where: () => string): never {
  assert(false, `${why} (${where()})`);
}
