import pg from "pg";
import { assert } from "../../../kernel/assert.ts";

// Object ids of types (pg_type).
const bool = 16;
const bytea = 17;
const int8 = 20;
const numeric = 1700;

/**
 * Reads values as the embedded store gives them: whole numbers as numbers, booleans as 0 and 1, bytes as a plain
 * Uint8Array. Per connection: the parsers of `pg.types` are shared by everything in the process.
 */
export const valueParsers: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => {
    if (format === "binary") return pg.types.getTypeParser(oid, format);
    switch (Number(oid)) {
      case bool:
        return (text: string) => (text === "t" ? 1 : 0);
      case bytea:
        return (text: string) => new Uint8Array(Buffer.from(text.slice(2), "hex"));
      case int8:
        return parseInteger;
      case numeric:
        return Number;
      default:
        return pg.types.getTypeParser(oid, format);
    }
  },
};

function parseInteger(text: string): number {
  const value = Number(text);
  assert(Number.isSafeInteger(value), `the database holds ${text}, which is not within ±2^53`);
  return value;
}
