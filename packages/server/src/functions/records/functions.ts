import { Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import { isUniqueViolation } from "../../drivers/store/driver.ts";
import type { FunctionsTable, MainTables } from "../../drivers/store/tables.ts";
import { isId } from "../../kernel/ids.ts";
import type { FunctionFields } from "../fn-spec.ts";
import type { FunctionRecord, OciFields, StoredFunction } from "../model.ts";
import type { Page } from "../paging.ts";
import { readSettings } from "../settings.ts";
import { holdApplication } from "./applications.ts";
import { type Committed, commit, type ReadDeps, type RecordDeps } from "./commit.ts";
import { addFirstImage, addImage, type FunctionImage, readImages } from "./images.ts";
import { readAnnotations, readConfig, readTags } from "./json-columns.ts";
import { changedResource, newResource, ociColumns, ociSideOf, untouchedByOci } from "./resource-columns.ts";

export async function readFunction(deps: ReadDeps, id: string): Promise<FunctionRecord | undefined> {
  if (!isId(id)) return undefined;
  const row = await deps.store.db.selectFrom("functions").selectAll().where("id", "=", id).executeTakeFirst();
  return row && functionOf(row);
}

export async function readFunctions(deps: ReadDeps): Promise<readonly FunctionRecord[]> {
  const rows = await deps.store.db.selectFrom("functions").selectAll().execute();
  return rows.map(functionOf);
}

/** With what only the OCI API shows. */
export async function readStoredFunction(deps: ReadDeps, id: string): Promise<StoredFunction | undefined> {
  if (!isId(id)) return undefined;
  const row = await deps.store.db.selectFrom("functions").selectAll().where("id", "=", id).executeTakeFirst();
  return row && storedFunctionOf(row);
}

/** In order of names; one more than the page holds when there are more. */
export async function listFunctions(
  deps: ReadDeps,
  filter: { readonly applicationId: string; readonly name: string | undefined; readonly page: Page },
): Promise<readonly FunctionRecord[]> {
  const { applicationId, name, page } = filter;
  if (!isId(applicationId)) return [];
  let query = deps.store.db
    .selectFrom("functions")
    .selectAll()
    .where("application_id", "=", applicationId)
    .orderBy("name")
    .limit(page.itemsMax + 1);
  if (name !== undefined) query = query.where("name", "=", name);
  if (page.after !== undefined) query = query.where("name", ">", page.after.name);
  return (await query.execute()).map(functionOf);
}

/** Throws `application-not-found`, `function-exists`. */
export async function insertFunction(
  deps: RecordDeps,
  fields: FunctionFields & Partial<Omit<OciFields, "compartmentId">>,
  createdBy: string,
): Promise<Committed<StoredFunction>> {
  const { applicationId, name, image } = fields;
  const resource = newResource(deps, createdBy);
  try {
    return await commit(deps, async (tx) => {
      const application = await holdApplication(tx, applicationId);
      if (application === undefined) throw new Problem("application-not-found", { application: applicationId });
      const { compartmentId: compartment_id, shape } = application;
      const own = { application_id: applicationId, compartment_id, name, shape };
      const row = { ...resource, ...own, ...changeableColumns({ ...untouchedByOci, ...fields }) };
      await tx.insertInto("functions").values(row).execute();
      await addFirstImage(tx, { functionId: row.id, image, nowMs: row.created_at_ms });
      return { record: storedFunctionOf(row), changed: { kind: "function", id: row.id } };
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new Problem("function-exists", { function: name }, { cause: error });
  }
}

/** Writes what `change` makes of the record, if that is anything new. Throws `function-not-found` and what `change` throws. */
export function updateFunction(
  deps: RecordDeps,
  id: string,
  change: (before: StoredFunction) => StoredFunction,
): Promise<Committed<StoredFunction>> {
  return commit(deps, async (tx) => {
    const before = await heldFunction(tx, id);
    return writeFunction(deps, tx, { before, after: change(before) });
  });
}

/** Makes the image that `choose` takes from the last ones the current one. Throws `function-not-found` and what `choose` throws. */
export function switchImage(
  deps: RecordDeps,
  id: string,
  choose: (images: readonly FunctionImage[]) => string,
): Promise<Committed<FunctionRecord>> {
  return commit(deps, async (tx) => {
    const before = await heldFunction(tx, id);
    const image = choose(await readImages(tx, id));
    return writeFunction(deps, tx, { before, after: { ...before, image } });
  });
}

/** With its triggers and images. Throws `function-not-found` and what `check` throws of what is about to be deleted. */
export function deleteFunction(
  deps: RecordDeps,
  id: string,
  check?: (before: StoredFunction) => void,
): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    // First of all: whoever adds to the function holds this row, so nothing is added behind what follows.
    const row = isId(id) && (await tx.deleteFrom("functions").where("id", "=", id).returningAll().executeTakeFirst());
    if (!row) throw new Problem("function-not-found", { function: id });
    check?.(storedFunctionOf(row));
    await tx.deleteFrom("triggers").where("function_id", "=", id).execute();
    await tx.deleteFrom("images").where("function_id", "=", id).execute();
    return { record: undefined, changed: { kind: "function", id } };
  });
}

/** Reads the function and keeps it from being changed or deleted until `tx` has ended (a write locks in both stores). */
export async function holdFunction(tx: Kysely<MainTables>, id: string): Promise<StoredFunction | undefined> {
  if (!isId(id)) return undefined;
  const row = await tx
    .updateTable("functions")
    .set((eb) => ({ version: eb.ref("version") }))
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirst();
  return row && storedFunctionOf(row);
}

async function heldFunction(tx: Kysely<MainTables>, id: string): Promise<StoredFunction> {
  const record = await holdFunction(tx, id);
  if (record === undefined) throw new Problem("function-not-found", { function: id });
  return record;
}

async function writeFunction(
  deps: RecordDeps,
  tx: Kysely<MainTables>,
  { before, after }: { readonly before: StoredFunction; readonly after: StoredFunction },
) {
  const { id } = before;
  const columns = changeableColumns(after);
  if (JSON.stringify(columns) === JSON.stringify(changeableColumns(before))) return { record: before };
  const row = await tx
    .updateTable("functions")
    .set({ ...columns, ...changedResource(deps, before) })
    .where("id", "=", id)
    .where("version", "=", before.version)
    .returningAll()
    .executeTakeFirst();
  if (row === undefined) throw new Problem("record-changed");
  if (row.image !== before.image) await addImage(tx, { functionId: id, image: row.image, nowMs: row.updated_at_ms });
  return { record: storedFunctionOf(row), changed: { kind: "function", id } } as const;
}

type Changeable = "image" | "memory_mib" | "timeout_s" | "idle_timeout_s" | "config" | "annotations" | "tags" | "oci";

type ChangeableFields = "image" | "memoryMiB" | "timeoutS" | "idleTimeoutS" | "config" | "annotations";

function changeableColumns(
  record: Pick<StoredFunction, ChangeableFields | "tags" | "ociMembers">,
): Pick<FunctionsTable, Changeable> {
  return {
    ...ociColumns(record),
    image: record.image,
    memory_mib: record.memoryMiB,
    timeout_s: record.timeoutS,
    idle_timeout_s: record.idleTimeoutS,
    config: JSON.stringify(record.config),
    annotations: JSON.stringify(record.annotations),
  };
}

export function storedFunctionOf(row: FunctionsTable): StoredFunction {
  return { ...functionOf(row), ...ociSideOf(row) };
}

function functionOf(row: FunctionsTable): FunctionRecord {
  const annotations = readAnnotations(row.annotations);
  return {
    id: row.id,
    applicationId: row.application_id,
    name: row.name,
    image: row.image,
    memoryMiB: row.memory_mib,
    timeoutS: row.timeout_s,
    idleTimeoutS: row.idle_timeout_s,
    config: readConfig(row.config),
    annotations,
    tags: readTags(row.tags),
    settings: readSettings(annotations),
    shape: row.shape,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    version: row.version,
  };
}
