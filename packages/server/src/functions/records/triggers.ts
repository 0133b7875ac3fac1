import { Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { MainTables, TriggersTable } from "../../drivers/store/tables.ts";
import { isId } from "../../kernel/ids.ts";
import type { Trigger } from "../model.ts";
import type { Page } from "../paging.ts";
import { recordInvalid } from "../record-invalid.ts";
import type { TriggerFields } from "../trigger-spec.ts";
import { holdApplication } from "./applications.ts";
import { type Committed, commit, type ReadDeps, type RecordDeps } from "./commit.ts";
import { holdFunction } from "./functions.ts";
import { readAnnotations } from "./json-columns.ts";
import { changedResource, newResource } from "./resource-columns.ts";

export async function readTrigger(deps: ReadDeps, id: string): Promise<Trigger | undefined> {
  return isId(id) ? selectTrigger(deps.store.db, id) : undefined;
}

export async function readTriggers(deps: ReadDeps): Promise<readonly Trigger[]> {
  const rows = await deps.store.db.selectFrom("triggers").selectAll().execute();
  return rows.map(triggerOf);
}

export async function readTriggerAt(
  deps: ReadDeps,
  at: { readonly applicationId: string; readonly type: string; readonly source: string },
): Promise<Trigger | undefined> {
  const row = await deps.store.db
    .selectFrom("triggers")
    .selectAll()
    .where("application_id", "=", at.applicationId)
    .where("type", "=", at.type)
    .where("source", "=", at.source)
    .executeTakeFirst();
  return row && triggerOf(row);
}

/** In order of names, then ids; one more than the page holds when there are more. */
export async function listTriggers(
  deps: ReadDeps,
  filter: {
    readonly applicationId: string;
    readonly functionId: string | undefined;
    readonly name: string | undefined;
    readonly page: Page;
  },
): Promise<readonly Trigger[]> {
  const { applicationId, functionId, name, page } = filter;
  let query = deps.store.db
    .selectFrom("triggers")
    .selectAll()
    .where("application_id", "=", applicationId)
    .orderBy("name")
    .orderBy("id")
    .limit(page.itemsMax + 1);
  if (functionId !== undefined) query = query.where("function_id", "=", functionId);
  if (name !== undefined) query = query.where("name", "=", name);
  if (page.after !== undefined) {
    const after = page.after;
    query = query.where((eb) => {
      const isBehind = eb("name", ">", after.name);
      return after.id === undefined ? isBehind : isBehind.or(eb("name", "=", after.name).and("id", ">", after.id));
    });
  }
  return (await query.execute()).map(triggerOf);
}

/** Throws `application-not-found`, `function-not-found`, `trigger-source-exists`, `trigger-exists`, `fn-record-invalid`. */
export function insertTrigger(deps: RecordDeps, fields: TriggerFields, createdBy: string): Promise<Committed<Trigger>> {
  const { applicationId, type } = fields;
  const row = { ...newResource(deps, createdBy), application_id: applicationId, type, ...changeableColumns(fields) };
  return commit(deps, async (tx) => {
    const application = await holdApplication(tx, applicationId);
    if (application === undefined) throw new Problem("application-not-found", { application: applicationId });
    await checkPlace(tx, { id: row.id, ...fields });
    await tx.insertInto("triggers").values(row).execute();
    return { record: triggerOf(row), changed: { kind: "trigger", id: row.id } };
  });
}

/** Writes what `change` makes of the record, if that is anything new. Throws as `insertTrigger` and what `change` throws. */
export function updateTrigger(
  deps: RecordDeps,
  id: string,
  change: (before: Trigger) => Trigger,
): Promise<Committed<Trigger>> {
  return commit(deps, async (tx) => {
    const before = await heldTrigger(tx, id);
    const after = change(before);
    const columns = changeableColumns(after);
    if (JSON.stringify(columns) === JSON.stringify(changeableColumns(before))) return { record: before };
    await checkPlace(tx, after);
    const row = await tx
      .updateTable("triggers")
      .set({ ...columns, ...changedResource(deps, before) })
      .where("id", "=", id)
      .where("version", "=", before.version)
      .returningAll()
      .executeTakeFirst();
    if (row === undefined) throw new Problem("record-changed");
    return { record: triggerOf(row), changed: { kind: "trigger", id } };
  });
}

/** Throws `trigger-not-found`. */
export function deleteTrigger(deps: RecordDeps, id: string): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    const row = isId(id) && (await tx.deleteFrom("triggers").where("id", "=", id).returning("id").executeTakeFirst());
    if (!row) throw new Problem("trigger-not-found", { trigger: id });
    return { record: undefined, changed: { kind: "trigger", id } };
  });
}

/** Reads a trigger while its application is held, which every change of its triggers waits for. */
async function heldTrigger(tx: Kysely<MainTables>, id: string): Promise<Trigger> {
  const found = isId(id) ? await selectTrigger(tx, id) : undefined;
  const application = found && (await holdApplication(tx, found.applicationId));
  const trigger = application && (await selectTrigger(tx, id));
  if (trigger === undefined) throw new Problem("trigger-not-found", { trigger: id });
  return trigger;
}

/**
 * A trigger calls a function of its own application, has its source for itself there, and its name on the function.
 * The application is held, so no other trigger of it can come between this and the write.
 */
async function checkPlace(
  tx: Kysely<MainTables>,
  trigger: Pick<Trigger, "id" | "applicationId" | "functionId" | "name" | "type" | "source">,
): Promise<void> {
  const target = await holdFunction(tx, trigger.functionId);
  if (target === undefined) throw new Problem("function-not-found", { function: trigger.functionId });
  if (target.applicationId !== trigger.applicationId) throw recordInvalid("Invalid Fn ID - not owned by specified app");
  const clashes = await tx
    .selectFrom("triggers")
    .select("source")
    .where("application_id", "=", trigger.applicationId)
    .where("id", "!=", trigger.id)
    .where((eb) =>
      eb.or([
        eb("source", "=", trigger.source).and("type", "=", trigger.type),
        eb("function_id", "=", trigger.functionId).and("name", "=", trigger.name),
      ]),
    )
    .execute();
  if (clashes.some(({ source }) => source === trigger.source))
    throw new Problem("trigger-source-exists", { source: trigger.source });
  if (clashes.length > 0) throw new Problem("trigger-exists", { trigger: trigger.name });
}

async function selectTrigger(db: Kysely<MainTables>, id: string): Promise<Trigger | undefined> {
  const row = await db.selectFrom("triggers").selectAll().where("id", "=", id).executeTakeFirst();
  return row && triggerOf(row);
}

function changeableColumns(
  trigger: Pick<Trigger, "functionId" | "name" | "source" | "annotations">,
): Pick<TriggersTable, "function_id" | "name" | "source" | "annotations"> {
  return {
    function_id: trigger.functionId,
    name: trigger.name,
    source: trigger.source,
    annotations: JSON.stringify(trigger.annotations),
  };
}

function triggerOf(row: TriggersTable): Trigger {
  return {
    id: row.id,
    applicationId: row.application_id,
    functionId: row.function_id,
    name: row.name,
    type: "http",
    source: row.source,
    annotations: readAnnotations(row.annotations),
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    version: row.version,
  };
}
