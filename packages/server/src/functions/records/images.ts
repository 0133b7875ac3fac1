import { digestOfImage, limits } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { MainTables } from "../../drivers/store/tables.ts";
import { keepBundle } from "./bundles.ts";
import type { ReadDeps } from "./commit.ts";

/** One of the last images of a function. */
export interface FunctionImage {
  readonly image: string;
  readonly createdAtMs: number;
}

/** The last images of a function, the current one first: in the order in which they became current. */
export async function readImages(db: Kysely<MainTables>, functionId: string): Promise<readonly FunctionImage[]> {
  const rows = await db
    .selectFrom("images")
    .select(["image", "created_at_ms"])
    .where("function_id", "=", functionId)
    .orderBy("seq", "desc")
    .execute();
  return rows.map((row) => ({ image: row.image, createdAtMs: row.created_at_ms }));
}

export interface AddedImage {
  readonly functionId: string;
  readonly image: string;
  readonly nowMs: number;
}

/** The first image of a new function. */
export async function addFirstImage(tx: Kysely<MainTables>, added: AddedImage): Promise<void> {
  const row = { function_id: added.functionId, image: added.image, seq: 1, created_at_ms: added.nowMs };
  await tx.insertInto("images").values(row).execute();
  await keepNamedBundle(tx, added);
}

/** Makes `image` the newest of the function, whose row the caller holds, and forgets those beyond the last ten. */
export async function addImage(tx: Kysely<MainTables>, added: AddedImage): Promise<void> {
  const { functionId, image, nowMs } = added;
  const newestFirst = tx
    .selectFrom("images")
    .select("seq")
    .where("function_id", "=", functionId)
    .orderBy("seq", "desc");
  const newest = await newestFirst.limit(1).executeTakeFirstOrThrow();
  await tx
    .insertInto("images")
    .values({ function_id: functionId, image, seq: newest.seq + 1, created_at_ms: nowMs })
    .onConflict((conflict) =>
      conflict.columns(["function_id", "image"]).doUpdateSet((eb) => ({ seq: eb.ref("excluded.seq") })),
    )
    .execute();
  await tx
    .deleteFrom("images")
    .where("function_id", "=", functionId)
    .where("seq", "<=", newestFirst.limit(1).offset(limits.imagesKeptPerFunction))
    .execute();
  await keepNamedBundle(tx, added);
}

/** What a function names is young again: the collector leaves it alone although it may have looked just before. */
async function keepNamedBundle(tx: Kysely<MainTables>, { image, nowMs }: AddedImage): Promise<void> {
  const digest = digestOfImage(image);
  if (digest !== undefined) await keepBundle(tx, digest, nowMs);
}

/** The digests of all bundles that any function's last images name. */
export async function readNamedDigests(deps: ReadDeps): Promise<ReadonlySet<string>> {
  const rows = await deps.store.db
    .selectFrom("images")
    .select("image")
    .distinct()
    .where("image", ">=", "bundle/")
    .where("image", "<", "bundle0")
    .execute();
  return new Set(rows.map((row) => digestOfImage(row.image)).filter((digest) => digest !== undefined));
}
