import { limits, Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { CompartmentsTable, MainTables } from "../../drivers/store/tables.ts";
import { isId } from "../../kernel/ids.ts";
import type { IdentityRecord, Tags } from "../model.ts";
import { type AccessRecordDeps, type Committed, commit, type Held, type ReadDeps } from "./commit.ts";
import { checkRoom } from "./count-rows.ts";
import { type IdentityPage, onPage } from "./identity-page.ts";
import { changedResource, identityOf, newResource, writeTags } from "./resource-columns.ts";
import { type Creation, create } from "./retry-tokens.ts";

/** One below the root compartment, which is no row. */
export interface CompartmentRecord extends IdentityRecord {
  readonly parentId: string;
}

export interface CompartmentFields {
  readonly parentId: string;
  readonly name: string;
  readonly description: string;
  readonly tags: Tags;
}

export async function readCompartment(db: Kysely<MainTables>, id: string): Promise<CompartmentRecord | undefined> {
  if (!isId(id)) return undefined;
  const row = await db.selectFrom("compartments").selectAll().where("id", "=", id).executeTakeFirst();
  return row && compartmentOf(row);
}

export async function readCompartments(deps: ReadDeps): Promise<readonly CompartmentRecord[]> {
  return (await deps.store.db.selectFrom("compartments").selectAll().execute()).map(compartmentOf);
}

/** In a compartment, or everywhere below the root; one more than the page holds when there are more. */
export async function listCompartments(
  deps: ReadDeps,
  filter: { readonly parentId: string | undefined; readonly name: string | undefined; readonly page: IdentityPage },
): Promise<readonly CompartmentRecord[]> {
  const { parentId, name, page } = filter;
  let query = deps.store.db.selectFrom("compartments").selectAll();
  if (parentId !== undefined) query = query.where("compartment_id", "=", parentId);
  if (name !== undefined) query = query.where("name", "=", name);
  return (await onPage(query, page).execute()).map(compartmentOf);
}

export async function hasCompartment(
  { rootId }: Pick<AccessRecordDeps, "rootId">,
  tx: Kysely<MainTables>,
  id: string,
): Promise<boolean> {
  return id === rootId || (await readCompartment(tx, id)) !== undefined;
}

/**
 * Throws `compartment-exists`, `compartment-misplaced`, `identity-exhausted`, `retry-token-invalidated`,
 * `not-authorized` when the parent is gone.
 */
export function insertCompartment(
  deps: AccessRecordDeps,
  creation: Creation,
  fields: CompartmentFields,
): Promise<Committed<CompartmentRecord>> {
  return create(deps, {
    creation,
    find: async (tx, id) => {
      const record = await readCompartment(tx, id);
      return record && { record };
    },
    make: async (tx) => {
      const { parentId, name, description, tags } = fields;
      await checkRoom(tx, { table: "compartments", what: "compartments", countMax: limits.compartmentsMax });
      checkDepth(deps, await readTree(tx), { id: undefined, parentId });
      await checkName(tx, parentId, name);
      const resource = newResource(deps, { compartmentId: parentId, createdBy: creation.createdBy, tags });
      const row = { ...resource, name, description };
      await tx.insertInto("compartments").values(row).execute();
      return { id: row.id, record: compartmentOf(row), changed: { kind: "compartment", id: row.id } };
    },
  });
}

/**
 * Writes what `change` makes of the record, if that is anything new; its parent is another one when it moves. Throws
 * `not-authorized`, `etag-mismatch`, `compartment-exists`, `compartment-misplaced`.
 */
export function updateCompartment(
  deps: AccessRecordDeps,
  { id, checkEtag }: Held,
  change: (before: CompartmentRecord) => CompartmentRecord,
): Promise<Committed<CompartmentRecord>> {
  return commit(deps, async (tx) => {
    const before = await readCompartment(tx, id);
    if (before === undefined) throw new Problem("not-authorized");
    checkEtag(before.etag);
    const after = change(before);
    const columns = changeableColumns(after);
    if (JSON.stringify(columns) === JSON.stringify(changeableColumns(before))) return { record: before };
    const isMoved = after.parentId !== before.parentId;
    if (isMoved) checkDepth(deps, await readTree(tx), after);
    if (isMoved || after.name !== before.name) await checkName(tx, after.parentId, after.name);
    const row = await tx
      .updateTable("compartments")
      .set({ ...columns, ...changedResource(deps, before) })
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirstOrThrow();
    return { record: compartmentOf(row), changed: { kind: "compartment", id } };
  });
}

/** Throws `not-authorized`, `etag-mismatch`, `identity-in-use` unless it is empty. */
export function deleteCompartment(deps: AccessRecordDeps, { id, checkEtag }: Held): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    // First of all: whoever puts something into the compartment holds this row, so nothing is added behind what follows.
    const row =
      isId(id) && (await tx.deleteFrom("compartments").where("id", "=", id).returning("etag").executeTakeFirst());
    if (!row) throw new Problem("not-authorized");
    checkEtag(row.etag);
    for (const table of ["compartments", "policies", "applications"] as const) {
      const inside = await tx
        .selectFrom(table)
        .select("id")
        .where("compartment_id", "=", id)
        .limit(1)
        .executeTakeFirst();
      if (inside !== undefined)
        throw new Problem("identity-in-use", { what: "compartment", holds: `there are ${table} in it` });
    }
    return { record: undefined, changed: { kind: "compartment", id } };
  });
}

async function checkName(tx: Kysely<MainTables>, parentId: string, name: string): Promise<void> {
  const taken = await tx
    .selectFrom("compartments")
    .select("id")
    .where("compartment_id", "=", parentId)
    .where("name", "=", name)
    .executeTakeFirst();
  if (taken !== undefined) throw new Problem("compartment-exists", { compartment: name });
}

/** The parent of each compartment below the root. */
type Tree = ReadonlyMap<string, string>;

async function readTree(tx: Kysely<MainTables>): Promise<Tree> {
  const rows = await tx.selectFrom("compartments").select(["id", "compartment_id"]).execute();
  return new Map(rows.map((row) => [row.id, row.compartment_id]));
}

/** Whether a compartment – a new one has no id – may be put into `parentId` with everything in it. */
function checkDepth(
  { rootId }: Pick<AccessRecordDeps, "rootId">,
  tree: Tree,
  placed: { readonly id: string | undefined; readonly parentId: string },
): void {
  const above = lineageOf(tree, placed.parentId);
  if (above.at(-1) !== rootId) throw new Problem("not-authorized");
  if (placed.id !== undefined && above.includes(placed.id))
    throw new Problem("compartment-misplaced", { reason: "it would lie in itself" });
  const height = placed.id === undefined ? 1 : heightOf(tree, placed.id);
  if (above.length - 1 + height > limits.compartmentDepthMax)
    throw new Problem("compartment-misplaced", {
      reason: `compartments lie at most ${limits.compartmentDepthMax} deep below the root`,
    });
}

/** From the compartment up to what has no parent. */
function lineageOf(tree: Tree, id: string): readonly string[] {
  const lineage = [id];
  for (let parent = tree.get(id); parent !== undefined; parent = tree.get(parent)) lineage.push(parent);
  return lineage;
}

/** How many levels the compartment and what lies in it make. */
function heightOf(tree: Tree, id: string): number {
  const heights = [...tree.keys()].map((other) => lineageOf(tree, other).indexOf(id) + 1);
  return Math.max(1, ...heights);
}

function changeableColumns(
  compartment: CompartmentRecord,
): Pick<CompartmentsTable, "compartment_id" | "name" | "description" | "tags"> {
  const { parentId: compartment_id, name, description, tags } = compartment;
  return { compartment_id, name, description, tags: writeTags(tags) };
}

function compartmentOf(row: CompartmentsTable): CompartmentRecord {
  return { ...identityOf(row), parentId: row.compartment_id };
}
