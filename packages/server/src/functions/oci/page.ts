import { Problem } from "@chaya/contract";
import type { OciList, OciOrder, OciPosition } from "../records/oci-lists.ts";

/** The part of OCI's list queries that both lists share. */
export interface OciListQuery {
  readonly limit: number;
  readonly page?: string | undefined;
  readonly displayName?: string | undefined;
  readonly sortBy: OciOrder["by"];
  readonly sortOrder: "ASC" | "DESC";
}

/** Throws `cursor-invalid`. `id` is that of a record, without its OCID. */
export function readList(query: OciListQuery, id: string | undefined): OciList {
  const order = { by: query.sortBy, isDescending: query.sortOrder === "DESC" };
  const after = query.page === undefined ? undefined : readPageToken(query.page, order);
  return { displayName: query.displayName, id, order, after, itemsMax: query.limit };
}

/** Cuts a page from `found`, which holds one record more than the page when there are more. */
export function cutOciPage<T extends { readonly id: string; readonly name: string; readonly createdAtMs: number }>(
  found: readonly T[],
  { order, itemsMax }: OciList,
): { readonly items: readonly T[]; readonly nextPage: string | undefined } {
  const items = found.slice(0, itemsMax);
  const last = items.at(-1);
  if (last === undefined || found.length <= itemsMax) return { items, nextPage: undefined };
  const values = { displayName: last.name, timeCreated: last.createdAtMs, id: last.id };
  return { items, nextPage: writePageToken({ value: values[order.by], id: last.id }, order) };
}

/** A token says what its list is ordered by: under another order the position would mean nothing. */
function writePageToken({ value, id }: OciPosition, order: OciOrder): string {
  return Buffer.from(JSON.stringify([order.by, order.isDescending, value, id])).toString("base64url");
}

function readPageToken(token: string, order: OciOrder): OciPosition {
  const [by, isDescending, value, id, ...more] = tokenParts(token);
  const isFitting = by === order.by && isDescending === order.isDescending && more.length === 0;
  const isValue = order.by === "timeCreated" ? Number.isSafeInteger(value) : typeof value === "string";
  if (!isFitting || !isValue || typeof id !== "string") throw new Problem("cursor-invalid");
  return { value: typeof value === "number" ? value : String(value), id };
}

function tokenParts(token: string): readonly unknown[] {
  const bytes = Buffer.from(token, "base64url");
  if (bytes.toString("base64url") !== token) throw new Problem("cursor-invalid");
  try {
    const parts: unknown = JSON.parse(bytes.toString());
    if (Array.isArray(parts)) return parts;
  } catch (cause) {
    throw new Problem("cursor-invalid", {}, { cause });
  }
  throw new Problem("cursor-invalid");
}

/** Everything here is ACTIVE all its life. */
export function isInState({ lifecycleState }: { readonly lifecycleState?: string | undefined }): boolean {
  return lifecycleState === undefined || lifecycleState.toUpperCase() === "ACTIVE";
}
