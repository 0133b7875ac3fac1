import { Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import { isUniqueViolation } from "../../drivers/store/driver.ts";
import type { ApplicationsTable, MainTables } from "../../drivers/store/tables.ts";
import { isId } from "../../kernel/ids.ts";
import type { ApplicationFields } from "../app-spec.ts";
import type { Application } from "../model.ts";
import type { Page } from "../paging.ts";
import { type Committed, commit, type ReadDeps, type RecordDeps } from "./commit.ts";
import { readAnnotations, readConfig } from "./json-columns.ts";
import { changedResource, newResource } from "./resource-columns.ts";

export async function readApplication(deps: ReadDeps, id: string): Promise<Application | undefined> {
  if (!isId(id)) return undefined;
  const row = await deps.store.db.selectFrom("applications").selectAll().where("id", "=", id).executeTakeFirst();
  return row && applicationOf(row);
}

export async function readApplications(deps: ReadDeps): Promise<readonly Application[]> {
  const rows = await deps.store.db.selectFrom("applications").selectAll().execute();
  return rows.map(applicationOf);
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

/** Throws `application-exists`. */
export async function insertApplication(
  deps: RecordDeps,
  fields: ApplicationFields,
  createdBy: string,
): Promise<Committed<Application>> {
  const row = { ...newResource(deps, createdBy), name: fields.name, shape: fields.shape, ...changeableColumns(fields) };
  try {
    return await commit(deps, async (tx) => {
      await tx.insertInto("applications").values(row).execute();
      return { record: applicationOf(row), changed: { kind: "application", id: row.id } };
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
  change: (before: Application) => Application,
): Promise<Committed<Application>> {
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
    return { record: applicationOf(row), changed: { kind: "application", id } };
  });
}

/** With everything in it. Throws `application-not-found`. */
export function deleteApplication(deps: RecordDeps, id: string): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    // First of all: whoever adds to the application holds this row, so nothing is added behind what follows.
    const row =
      isId(id) && (await tx.deleteFrom("applications").where("id", "=", id).returning("id").executeTakeFirst());
    if (!row) throw new Problem("application-not-found", { application: id });
    const functionIds = tx.selectFrom("functions").select("id").where("application_id", "=", id);
    await tx.deleteFrom("images").where("function_id", "in", functionIds).execute();
    await tx.deleteFrom("triggers").where("application_id", "=", id).execute();
    await tx.deleteFrom("functions").where("application_id", "=", id).execute();
    return { record: undefined, changed: { kind: "application", id } };
  });
}

/** Reads the application and keeps it from being changed or deleted until `tx` has ended (a write locks in both stores). */
export async function holdApplication(tx: Kysely<MainTables>, id: string): Promise<Application | undefined> {
  if (!isId(id)) return undefined;
  const row = await tx
    .updateTable("applications")
    .set((eb) => ({ version: eb.ref("version") }))
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirst();
  return row && applicationOf(row);
}

function changeableColumns(
  application: Pick<Application, "config" | "annotations" | "syslogUrl">,
): Pick<ApplicationsTable, "config" | "annotations" | "syslog_url"> {
  return {
    config: JSON.stringify(application.config),
    annotations: JSON.stringify(application.annotations),
    syslog_url: application.syslogUrl,
  };
}

function applicationOf(row: ApplicationsTable): Application {
  return {
    id: row.id,
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
