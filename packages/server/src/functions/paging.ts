import { limits, Problem } from "@chaya/contract";

export interface Page {
  /** The page begins behind this; at the first item when absent. */
  readonly after: Position | undefined;
  readonly itemsMax: number;
}

/** Where a page ended. With `id` the next page goes on among records of the same name. */
export interface Position {
  readonly name: string;
  readonly id?: string | undefined;
}

/** Reads the paging of a list as leniently as Fn: what is not a positive number counts as absent. Throws `cursor-invalid`. */
export function readPage(query: {
  readonly cursor?: string | undefined;
  readonly per_page?: string | undefined;
}): Page {
  return { after: query.cursor ? readCursor(query.cursor) : undefined, itemsMax: itemsMaxOf(query.per_page) };
}

/**
 * Fn's cursor: base64url without padding of the last name. Several triggers of one application may share a name; where
 * the next page begins among them the id follows, behind a NUL that no name can hold.
 */
export function writeCursor(position: Position): string {
  const text = position.id === undefined ? position.name : `${position.name}\0${position.id}`;
  return Buffer.from(text).toString("base64url");
}

export function readCursor(cursor: string): Position {
  const bytes = Buffer.from(cursor, "base64url");
  if (bytes.toString("base64url") !== cursor) throw new Problem("cursor-invalid");
  const text = bytes.toString();
  if (!Buffer.from(text).equals(bytes)) throw new Problem("cursor-invalid");
  const [name = "", id, ...more] = text.split("\0");
  if (name === "" || id === "" || more.length > 0) throw new Problem("cursor-invalid");
  return { name, id };
}

/**
 * Cuts a page from `found`, which holds one item more than the page when there are more. As in Fn a full page has a
 * cursor even when nothing follows.
 */
export function cutPage<T extends { readonly name: string; readonly id: string }>(
  found: readonly T[],
  itemsMax: number,
): { readonly items: readonly T[]; readonly cursor: string | undefined } {
  const items = found.slice(0, itemsMax);
  const last = items.at(-1);
  if (last === undefined || items.length < itemsMax) return { items, cursor: undefined };
  const isNameShared = found[itemsMax]?.name === last.name;
  return { items, cursor: writeCursor({ name: last.name, id: isNameShared ? last.id : undefined }) };
}

function itemsMaxOf(text: string | undefined): number {
  const count = /^[+-]?\d+$/.test(text ?? "") ? Number(text) : 0;
  return count <= 0 ? limits.pageItemsDefault : Math.min(count, limits.pageItemsMax);
}
