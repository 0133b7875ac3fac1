import { Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import { isUniqueViolation } from "../../drivers/store/driver.ts";
import type { ApplicationsTable, MainTables } from "../../drivers/store/tables.ts";
import { isId } from "../../kernel/ids.ts";
import type { ApplicationFields } from "../app-spec.ts";
import type { Application, OciFields, StoredApplication } from "../model.ts";
import type { Page } from "../paging.ts";
import { type Committed, commit, type ReadDeps, type RecordDeps } from "./commit.ts";
import { readAnnotations, readConfig } from "./json-columns.ts";
import { changedResource, newResource, ociColumns, ociSideOf, untouchedByOci } from "./resource-columns.ts";

export async function readApplication(deps: ReadDeps, id: string): Promise<Application | undefined> {
  if (!isId(id)) return undefined;
  const row = await deps.store.db.selectFrom("applications").selectAll().where("id", "=", id).executeTakeFirst();
  return row && applicationOf(row);
}

export async function readApplications(deps: ReadDeps): Promise<readonly Application[]> {
  const rows = await deps.store.db.selectFrom("applications").selectAll().execute();
  return rows.map(applicationOf);
}

/** With what only the OCI API shows. */
export async function readStoredApplication(deps: ReadDeps, id: string): Promise<StoredApplication | undefined> {
  if (!isId(id)) return undefined;
  const row = await deps.store.db.selectFrom("applications").selectAll().where("id", "=", id).executeTakeFirst();
  return row && storedApplicationOf(row);
}

/** In order of names; one more than the page holds when there are more. */
export async function listApplications(
  deps: ReadDeps,
  filter: { readonly name: string | undefined; readonly page: Page },
): Promise<readonly Application[]> {
  const { name, page } = filter;
  let query = deps.store.db
    .selectFrom("applications")
    .selectAll()
    .orderBy("name")
    .limit(page.itemsMax + 1);
  if (name !== undefined) query = query.where("name", "=", name);
  if (page.after !== undefined) query = query.where("name", ">", page.after.name);
  return (await query.execute()).map(applicationOf);
}

/**
 * In the root compartment unless the fields name another, which is then kept from being deleted meanwhile. Throws
 * `application-exists`, `not-authorized` when the compartment is gone.
 */
export async function insertApplication(
  deps: RecordDeps,
  fields: ApplicationFields & Partial<OciFields>,
  createdBy: string,
): Promise<Committed<StoredApplication>> {
  const { name, shape, compartmentId = deps.compartmentId } = fields;
  const own = { name, shape, compartment_id: compartmentId };
  const row = { ...newResource(deps, createdBy), ...own, ...changeableColumns({ ...untouchedByOci, ...fields }) };
  try {
    return await commit(deps, async (tx) => {
      await holdCompartment(deps, tx, compartmentId);
      await tx.insertInto("applications").values(row).execute();
      return { record: storedApplicationOf(row), changed: { kind: "application", id: row.id } };
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new Problem("application-exists", { application: fields.name }, { cause: error });
  }
}

/** Writes what `change` makes of the record, if that is anything new. Throws `application-not-found` and what `change` throws. */
export function updateApplication(
  deps: RecordDeps,
  id: string,
  change: (before: StoredApplication) => StoredApplication,
): Promise<Committed<StoredApplication>> {
  return commit(deps, async (tx) => {
    const before = await holdApplication(tx, id);
    if (before === undefined) throw new Problem("application-not-found", { application: id });
    const columns = changeableColumns(change(before));
    if (JSON.stringify(columns) === JSON.stringify(changeableColumns(before))) return { record: before };
    const row = await tx
      .updateTable("applications")
      .set({ ...columns, ...changedResource(deps, before) })
      .where("id", "=", id)
      .where("version", "=", before.version)
      .returningAll()
      .executeTakeFirst();
    if (row === undefined) throw new Problem("record-changed");
    return { record: storedApplicationOf(row), changed: { kind: "application", id } };
  });
}

export interface ApplicationDeletion {
  /** Throws when what is about to be deleted, and can change no more, is not what the caller meant. */
  readonly check?: (before: StoredApplication) => void;
  /** Whether the functions of an application go with it; else it may have none. */
  readonly isRecursive: boolean;
}

/** Throws `application-not-found`, `application-not-empty` and what `check` throws. */
export function deleteApplication(
  deps: RecordDeps,
  id: string,
  { check, isRecursive }: ApplicationDeletion,
): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    // First of all: whoever adds to the application holds this row, so nothing is added behind what follows.
    const row =
      isId(id) && (await tx.deleteFrom("applications").where("id", "=", id).returningAll().executeTakeFirst());
    if (!row) throw new Problem("application-not-found", { application: id });
    check?.(storedApplicationOf(row));
    if (!isRecursive) await refuseFunctions(tx, row);
    const functionIds = tx.selectFrom("functions").select("id").where("application_id", "=", id);
    await tx.deleteFrom("images").where("function_id", "in", functionIds).execute();
    await tx.deleteFrom("triggers").where("application_id", "=", id).execute();
    await tx.deleteFrom("functions").where("application_id", "=", id).execute();
    return { record: undefined, changed: { kind: "application", id } };
  });
}

async function refuseFunctions(tx: Kysely<MainTables>, { id, name }: ApplicationsTable): Promise<void> {
  const found = tx.selectFrom("functions").select("id").where("application_id", "=", id).limit(1);
  if ((await found.executeTakeFirst()) !== undefined) throw new Problem("application-not-empty", { application: name });
}

/** Reads the application and keeps it from being changed or deleted until `tx` has ended (a write locks in both stores). */
export async function holdApplication(tx: Kysely<MainTables>, id: string): Promise<StoredApplication | undefined> {
  if (!isId(id)) return undefined;
  const row = await tx
    .updateTable("applications")
    .set((eb) => ({ version: eb.ref("version") }))
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirst();
  return row && storedApplicationOf(row);
}

/** Keeps a compartment from being deleted until `tx` has ended; the root is never deleted. Throws `not-authorized`. */
export async function holdCompartment(deps: RecordDeps, tx: Kysely<MainTables>, id: string): Promise<void> {
  if (id === deps.compartmentId) return;
  const { numUpdatedRows } = await tx
    .updateTable("compartments")
    .set((eb) => ({ version: eb.ref("version") }))
    .where("id", "=", id)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw new Problem("not-authorized");
}

function changeableColumns(
  application: Pick<StoredApplication, "config" | "annotations" | "syslogUrl" | "tags" | "ociMembers">,
): Pick<ApplicationsTable, "config" | "annotations" | "syslog_url" | "tags" | "oci"> {
  return {
    ...ociColumns(application),
    config: JSON.stringify(application.config),
    annotations: JSON.stringify(application.annotations),
    syslog_url: application.syslogUrl,
  };
}

export function storedApplicationOf(row: ApplicationsTable): StoredApplication {
  return { ...applicationOf(row), ...ociSideOf(row) };
}

function applicationOf(row: ApplicationsTable): Application {
  return {
    id: row.id,
    compartmentId: row.compartment_id,
    name: row.name,
    config: readConfig(row.config),
    annotations: readAnnotations(row.annotations),
    syslogUrl: row.syslog_url,
    shape: row.shape,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    version: row.version,
  };
}
