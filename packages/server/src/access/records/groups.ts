import { limits, Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { MainTables, UserGroupsTable } from "../../drivers/store/tables.ts";
import { isId } from "../../kernel/ids.ts";
import { administratorsGroup } from "../built-in.ts";
import type { Group, Tags } from "../model.ts";
import { type AccessRecordDeps, type Committed, commit, type Held, type ReadDeps } from "./commit.ts";
import { checkRoom } from "./count-rows.ts";
import { checkGroupName } from "./group-names.ts";
import { type IdentityPage, onPage } from "./identity-page.ts";
import { changedResource, identityOf, newResource, writeTags } from "./resource-columns.ts";
import { type Creation, create } from "./retry-tokens.ts";

export interface GroupFields {
  readonly name: string;
  readonly description: string;
  readonly tags: Tags;
}

export async function readGroup(db: Kysely<MainTables>, id: string): Promise<Group | undefined> {
  if (!isId(id)) return undefined;
  const row = await db.selectFrom("user_groups").selectAll().where("id", "=", id).executeTakeFirst();
  return row && identityOf(row);
}

export async function readGroups(deps: ReadDeps): Promise<readonly Group[]> {
  return (await deps.store.db.selectFrom("user_groups").selectAll().execute()).map(identityOf);
}

/** One more than the page holds when there are more. */
export async function listGroups(
  deps: ReadDeps,
  filter: { readonly name: string | undefined; readonly page: IdentityPage },
): Promise<readonly Group[]> {
  let query = deps.store.db.selectFrom("user_groups").selectAll();
  if (filter.name !== undefined) query = query.where("name", "=", filter.name);
  return (await onPage(query, filter.page).execute()).map(identityOf);
}

/** Throws `group-exists`, `identity-exhausted`, `retry-token-invalidated`. */
export function insertGroup(
  deps: AccessRecordDeps,
  creation: Creation,
  fields: GroupFields,
): Promise<Committed<Group>> {
  return create(deps, {
    creation,
    find: async (tx, id) => {
      const record = await readGroup(tx, id);
      return record && { record };
    },
    make: async (tx) => {
      await checkRoom(tx, { table: "user_groups", what: "groups", countMax: limits.groupsMax });
      await checkGroupName(tx, fields.name);
      const row = newGroup(deps, fields, creation.createdBy);
      await tx.insertInto("user_groups").values(row).execute();
      return { id: row.id, record: identityOf(row), changed: { kind: "group", id: row.id } };
    },
  });
}

export function newGroup(
  deps: Pick<AccessRecordDeps, "clock" | "newId" | "rootId">,
  { name, description, tags }: GroupFields,
  createdBy: string,
): UserGroupsTable {
  return { ...newResource(deps, { compartmentId: deps.rootId, createdBy, tags }), name, description };
}

/** Writes what `change` makes of the record, if that is anything new. Throws `not-authorized`, `etag-mismatch`. */
export function updateGroup(
  deps: AccessRecordDeps,
  { id, checkEtag }: Held,
  change: (before: Group) => Group,
): Promise<Committed<Group>> {
  return commit(deps, async (tx) => {
    const before = await readGroup(tx, id);
    if (before === undefined) throw new Problem("not-authorized");
    checkEtag(before.etag);
    const columns = changeableColumns(change(before));
    if (JSON.stringify(columns) === JSON.stringify(changeableColumns(before))) return { record: before };
    const row = await tx
      .updateTable("user_groups")
      .set({ ...columns, ...changedResource(deps, before) })
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirstOrThrow();
    return { record: identityOf(row), changed: { kind: "group", id } };
  });
}

/** As on OCI nobody may be in it. Throws `not-authorized`, `etag-mismatch`, `identity-in-use`, `identity-built-in`. */
export function deleteGroup(deps: AccessRecordDeps, { id, checkEtag }: Held): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    const group = await readGroup(tx, id);
    if (group === undefined) throw new Problem("not-authorized");
    checkEtag(group.etag);
    if (group.name === administratorsGroup) throw new Problem("identity-built-in", { what: `The group ${group.name}` });
    const member = await tx
      .selectFrom("memberships")
      .select("id")
      .where("group_id", "=", id)
      .limit(1)
      .executeTakeFirst();
    if (member !== undefined) throw new Problem("identity-in-use", { what: "group", holds: "it has members" });
    await tx.deleteFrom("user_groups").where("id", "=", id).execute();
    return { record: undefined, changed: { kind: "group", id } };
  });
}

function changeableColumns({ description, tags }: Group): Pick<UserGroupsTable, "description" | "tags"> {
  return { description, tags: writeTags(tags) };
}
