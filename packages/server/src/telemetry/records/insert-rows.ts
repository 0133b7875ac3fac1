import { type Compilable, CompiledQuery } from "kysely";
import type { Statement } from "../../drivers/store/driver.ts";
import { assert } from "../../kernel/assert.ts";

/** Few sizes, so that the store keeps few prepared statements. */
const sizes = [128, 32, 8, 2, 1];

/**
 * Inserts of many rows a statement, compiled once for each number of rows. All rows have the same columns in the same
 * order.
 */
export class RowInserter<Row extends object> {
  readonly #compile: (rows: readonly Row[]) => Compilable;
  readonly #sqlBySize = new Map<number, string>();

  constructor(compile: (rows: readonly Row[]) => Compilable) {
    this.#compile = compile;
  }

  statements(rows: readonly Row[]): readonly Statement[] {
    const statements: Statement[] = [];
    let at = 0;
    for (const size of sizes) {
      for (; rows.length - at >= size; at += size) statements.push(this.#statement(rows.slice(at, at + size)));
    }
    return statements;
  }

  #statement(rows: readonly Row[]): Statement {
    const parameters = rows.flatMap((row) => Object.values(row));
    const known = this.#sqlBySize.get(rows.length);
    if (known !== undefined) return { query: CompiledQuery.raw(known, parameters) };
    const query = this.#compile(rows).compile();
    assert(query.parameters.length === parameters.length, "every value of a row is one parameter of its insert");
    this.#sqlBySize.set(rows.length, query.sql);
    return { query };
  }
}
