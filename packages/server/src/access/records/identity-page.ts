import { Problem } from "@chaya/contract";
import type { IdentityListQuery } from "@chaya/contract/oci/identity";
import { type SelectQueryBuilder, type SqlBool, sql } from "kysely";
import type { MainTables } from "../../drivers/store/tables.ts";
import { isId } from "../../kernel/ids.ts";

/** A page of a list, in the order of a column and, among equals, of the ids. */
export interface IdentityPage {
  readonly column: "name" | "created_at_ms";
  readonly direction: "asc" | "desc";
  readonly itemsMax: number;
  /** The page begins behind this; at the first item when absent. */
  readonly after: Position | undefined;
}

interface Position {
  readonly value: string | number;
  readonly id: string;
}

/** Throws `cursor-invalid`. */
export function readPage(
  query: Pick<IdentityListQuery, "limit" | "page"> & Partial<Pick<IdentityListQuery, "sortBy" | "sortOrder">>,
): IdentityPage {
  const { sortBy = "TIMECREATED" } = query;
  const column = sortBy === "NAME" ? "name" : "created_at_ms";
  const { sortOrder = sortBy === "NAME" ? "ASC" : "DESC" } = query;
  const order = { column, direction: sortOrder === "ASC" ? "asc" : "desc" } as const;
  return {
    ...order,
    itemsMax: query.limit,
    after: query.page === undefined ? undefined : readToken(query.page, column),
  };
}

/** The rows of `query` that stand on the page; one more than it holds when there are more. */
export function onPage<Tables extends keyof MainTables, Row>(
  query: SelectQueryBuilder<MainTables, Tables, Row>,
  { column, direction, itemsMax, after }: IdentityPage,
): SelectQueryBuilder<MainTables, Tables, Row> {
  const order = sql.raw(direction);
  const ordered = query.orderBy(sql`${sql.ref(column)} ${order}, id ${order}`).limit(itemsMax + 1);
  if (after === undefined) return ordered;
  const behind = sql.raw(direction === "asc" ? ">" : "<");
  return ordered.where(sql<SqlBool>`(${sql.ref(column)}, id) ${behind} (${after.value}, ${after.id})`);
}

/** Cuts a page from `found`, which holds one item more than the page when there are more. */
export function cutPage<T extends { readonly id: string; readonly createdAtMs: number; readonly name?: string }>(
  found: readonly T[],
  { column, itemsMax }: IdentityPage,
): { readonly items: readonly T[]; readonly nextPage: string | undefined } {
  const items = found.slice(0, itemsMax);
  const last = items.at(-1);
  if (last === undefined || found.length <= itemsMax) return { items, nextPage: undefined };
  return {
    items,
    nextPage: writeToken({ value: column === "name" ? (last.name ?? "") : last.createdAtMs, id: last.id }),
  };
}

function writeToken({ value, id }: Position): string {
  return Buffer.from(JSON.stringify([value, id])).toString("base64url");
}

function readToken(token: string, column: IdentityPage["column"]): Position {
  const position = parsedToken(token);
  if (!Array.isArray(position)) throw new Problem("cursor-invalid");
  const [value, id]: unknown[] = position;
  const fits = column === "name" ? typeof value === "string" && !value.includes("\0") : Number.isSafeInteger(value);
  if (!fits || (typeof value !== "string" && typeof value !== "number") || typeof id !== "string" || !isId(id))
    throw new Problem("cursor-invalid");
  return { value, id };
}

function parsedToken(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString());
  } catch (cause) {
    throw new Problem("cursor-invalid", {}, { cause });
  }
}
