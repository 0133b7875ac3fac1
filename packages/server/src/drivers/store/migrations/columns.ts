import type { Store } from "../driver.ts";

/** The column types that differ between the stores. */
export interface ColumnTypes {
  /** Text compared, sorted and made unique by its bytes. */
  readonly text: string;
  /** Whole numbers up to 2^53: counts, times in ms, booleans as 0 and 1. */
  readonly integer: string;
  readonly blob: string;
  /** What ends a table: SQLite checks the types of what is stored only when a table is strict. */
  readonly options: string;
  /** The same for a table of short rows that lie in the order of their key: one tree less to write to. */
  readonly clustered: string;
}

export function columnTypes(dialect: Store<unknown>["kind"]): ColumnTypes {
  switch (dialect) {
    case "embedded":
      return { text: "text", integer: "integer", blob: "blob", options: "strict", clustered: "strict, without rowid" };
    case "postgres":
      return { text: 'text collate "C"', integer: "bigint", blob: "bytea", options: "", clustered: "" };
    default:
      return dialect satisfies never;
  }
}
