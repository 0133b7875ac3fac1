import type { Kysely } from "kysely";
import type { MainTables } from "../../drivers/store/tables.ts";
import { assert } from "../../kernel/assert.ts";
import { administratorsGroup, platformId, tenantAdminPolicy } from "../built-in.ts";
import type { User } from "../model.ts";
import { type AccessRecordDeps, type Committed, commit } from "./commit.ts";
import { newGroup } from "./groups.ts";
import { newPolicy } from "./policies.ts";
import { newResource, noTags } from "./resource-columns.ts";
import { readUser } from "./users.ts";

/** Makes the group and the policy that every tenancy has, if they are not there. Several nodes may do so at once. */
export async function ensureBuiltIns(deps: AccessRecordDeps): Promise<void> {
  await commit(deps, async (tx) => {
    const id = await ensureAdministrators(deps, tx);
    return { record: undefined, ...(id !== undefined && { changed: { kind: "group", id } }) };
  });
  await commit(deps, async (tx) => {
    const { name, statements } = tenantAdminPolicy;
    const known = await tx.selectFrom("policies").select("id").where("name", "=", name).executeTakeFirst();
    if (known !== undefined) return { record: undefined };
    const fields = { name, statements, versionDate: undefined, compartmentId: deps.rootId, tags: noTags };
    const row = newPolicy(deps, { ...fields, description: "Who administers the tenancy." }, platformId);
    await tx.insertInto("policies").values(row).execute();
    return { record: undefined, changed: { kind: "policy", id: row.id } };
  });
}

/** The name of the user that the platform makes for whoever administers it. */
const administratorName = "admin";

/**
 * The user `admin`, made as a member of the group Administrators if there is none. One that is there stays as it is: it
 * may have been blocked or taken out of the group on purpose.
 */
export function ensureAdministrator(deps: AccessRecordDeps): Promise<Committed<User>> {
  return commit(deps, async (tx) => {
    const known = await tx.selectFrom("users").select("id").where("name", "=", administratorName).executeTakeFirst();
    const id = known?.id ?? (await insertAdministrator(deps, tx));
    const record = await readUser(tx, id);
    assert(record !== undefined, "a user that was just found or made can be read");
    return { record, ...(known === undefined && { changed: { kind: "user", id } }) };
  });
}

async function insertAdministrator(deps: AccessRecordDeps, tx: Kysely<MainTables>): Promise<string> {
  const resource = newResource(deps, { compartmentId: deps.rootId, createdBy: platformId, tags: noTags });
  const credentials = { is_blocked: 0, can_use_api_keys: 1, can_use_auth_tokens: 1 };
  const named = { name: administratorName, description: "Administers the tenancy.", email: "" };
  await tx
    .insertInto("users")
    .values({ ...resource, ...named, ...credentials })
    .execute();
  const group = await tx
    .selectFrom("user_groups")
    .select("id")
    .where("name", "=", administratorsGroup)
    .executeTakeFirstOrThrow();
  const membership = { id: deps.newId(), user_id: resource.id, group_id: group.id };
  await tx
    .insertInto("memberships")
    .values({ ...membership, created_at_ms: resource.created_at_ms })
    .execute();
  await deps.changes.append(tx, "membership", membership.id);
  return resource.id;
}

/** Undefined when it was there. */
async function ensureAdministrators(deps: AccessRecordDeps, tx: Kysely<MainTables>): Promise<string | undefined> {
  const name = administratorsGroup;
  const known = await tx.selectFrom("user_groups").select("id").where("name", "=", name).executeTakeFirst();
  if (known !== undefined) return undefined;
  const row = newGroup(deps, { name, description: "Administrators of the tenancy.", tags: noTags }, platformId);
  await tx.insertInto("user_groups").values(row).execute();
  return row.id;
}
