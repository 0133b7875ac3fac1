import { limits, Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { DynamicGroupsTable, MainTables } from "../../drivers/store/tables.ts";
import { isId } from "../../kernel/ids.ts";
import type { IdentityRecord, Tags } from "../model.ts";
import { type AccessRecordDeps, type Committed, commit, type Held, type ReadDeps } from "./commit.ts";
import { checkRoom } from "./count-rows.ts";
import { checkGroupName } from "./group-names.ts";
import { type IdentityPage, onPage } from "./identity-page.ts";
import { changedResource, identityOf, newResource, writeTags } from "./resource-columns.ts";
import { type Creation, create } from "./retry-tokens.ts";

export interface DynamicGroupRecord extends IdentityRecord {
  readonly matchingRule: string;
}

export interface DynamicGroupFields {
  readonly name: string;
  readonly description: string;
  readonly matchingRule: string;
  readonly tags: Tags;
}

export async function readDynamicGroup(db: Kysely<MainTables>, id: string): Promise<DynamicGroupRecord | undefined> {
  if (!isId(id)) return undefined;
  const row = await db.selectFrom("dynamic_groups").selectAll().where("id", "=", id).executeTakeFirst();
  return row && dynamicGroupOf(row);
}

export async function readDynamicGroups(deps: ReadDeps): Promise<readonly DynamicGroupRecord[]> {
  return (await deps.store.db.selectFrom("dynamic_groups").selectAll().execute()).map(dynamicGroupOf);
}

/** One more than the page holds when there are more. */
export async function listDynamicGroups(
  deps: ReadDeps,
  filter: { readonly name: string | undefined; readonly page: IdentityPage },
): Promise<readonly DynamicGroupRecord[]> {
  let query = deps.store.db.selectFrom("dynamic_groups").selectAll();
  if (filter.name !== undefined) query = query.where("name", "=", filter.name);
  return (await onPage(query, filter.page).execute()).map(dynamicGroupOf);
}

/** Throws `group-exists`, `identity-exhausted`, `retry-token-invalidated`. */
export function insertDynamicGroup(
  deps: AccessRecordDeps,
  creation: Creation,
  fields: DynamicGroupFields,
): Promise<Committed<DynamicGroupRecord>> {
  return create(deps, {
    creation,
    find: async (tx, id) => {
      const record = await readDynamicGroup(tx, id);
      return record && { record };
    },
    make: async (tx) => {
      await checkRoom(tx, { table: "dynamic_groups", what: "dynamic groups", countMax: limits.dynamicGroupsMax });
      await checkGroupName(tx, fields.name);
      const { name, description, matchingRule: matching_rule, tags } = fields;
      const resource = newResource(deps, { compartmentId: deps.rootId, createdBy: creation.createdBy, tags });
      const row = { ...resource, name, description, matching_rule };
      await tx.insertInto("dynamic_groups").values(row).execute();
      return { id: row.id, record: dynamicGroupOf(row), changed: { kind: "dynamic-group", id: row.id } };
    },
  });
}

/** Writes what `change` makes of the record, if that is anything new. Throws `not-authorized`, `etag-mismatch`. */
export function updateDynamicGroup(
  deps: AccessRecordDeps,
  { id, checkEtag }: Held,
  change: (before: DynamicGroupRecord) => DynamicGroupRecord,
): Promise<Committed<DynamicGroupRecord>> {
  return commit(deps, async (tx) => {
    const before = await readDynamicGroup(tx, id);
    if (before === undefined) throw new Problem("not-authorized");
    checkEtag(before.etag);
    const columns = changeableColumns(change(before));
    if (JSON.stringify(columns) === JSON.stringify(changeableColumns(before))) return { record: before };
    const row = await tx
      .updateTable("dynamic_groups")
      .set({ ...columns, ...changedResource(deps, before) })
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirstOrThrow();
    return { record: dynamicGroupOf(row), changed: { kind: "dynamic-group", id } };
  });
}

/** Throws `not-authorized`, `etag-mismatch`. */
export function deleteDynamicGroup(deps: AccessRecordDeps, { id, checkEtag }: Held): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    const group = await readDynamicGroup(tx, id);
    if (group === undefined) throw new Problem("not-authorized");
    checkEtag(group.etag);
    await tx.deleteFrom("dynamic_groups").where("id", "=", id).execute();
    return { record: undefined, changed: { kind: "dynamic-group", id } };
  });
}

function changeableColumns(
  group: DynamicGroupRecord,
): Pick<DynamicGroupsTable, "description" | "matching_rule" | "tags"> {
  return { description: group.description, matching_rule: group.matchingRule, tags: writeTags(group.tags) };
}

function dynamicGroupOf(row: DynamicGroupsTable): DynamicGroupRecord {
  return { ...identityOf(row), matchingRule: row.matching_rule };
}
