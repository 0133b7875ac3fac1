import { limits, Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { MainTables, UsersTable } from "../../drivers/store/tables.ts";
import { isId } from "../../kernel/ids.ts";
import type { Tags, User } from "../model.ts";
import { type AccessRecordDeps, type Committed, commit, type Held, type ReadDeps } from "./commit.ts";
import { checkRoom } from "./count-rows.ts";
import { type IdentityPage, onPage } from "./identity-page.ts";
import { changedResource, identityOf, newResource, writeTags } from "./resource-columns.ts";
import { type Creation, create } from "./retry-tokens.ts";

export interface UserRecord extends User {
  readonly canUseApiKeys: boolean;
  readonly canUseAuthTokens: boolean;
}

export interface UserFields {
  readonly name: string;
  readonly description: string;
  readonly email: string;
  readonly tags: Tags;
}

export async function readUser(db: Kysely<MainTables>, id: string): Promise<UserRecord | undefined> {
  if (!isId(id)) return undefined;
  const row = await db.selectFrom("users").selectAll().where("id", "=", id).executeTakeFirst();
  return row && userOf(row);
}

export async function readUsers(deps: ReadDeps): Promise<readonly UserRecord[]> {
  return (await deps.store.db.selectFrom("users").selectAll().execute()).map(userOf);
}

/** One more than the page holds when there are more. */
export async function listUsers(
  deps: ReadDeps,
  filter: { readonly name: string | undefined; readonly isBlocked: boolean | undefined; readonly page: IdentityPage },
): Promise<readonly UserRecord[]> {
  const { name, isBlocked, page } = filter;
  let query = deps.store.db.selectFrom("users").selectAll();
  if (name !== undefined) query = query.where("name", "=", name);
  if (isBlocked !== undefined) query = query.where("is_blocked", "=", Number(isBlocked));
  return (await onPage(query, page).execute()).map(userOf);
}

/** Throws `user-exists`, `identity-exhausted`, `retry-token-invalidated`. */
export function insertUser(
  deps: AccessRecordDeps,
  creation: Creation,
  fields: UserFields,
): Promise<Committed<UserRecord>> {
  return create(deps, {
    creation,
    find: async (tx, id) => {
      const record = await readUser(tx, id);
      return record && { record };
    },
    make: async (tx) => {
      await checkRoom(tx, { table: "users", what: "users", countMax: limits.usersMax });
      await checkFree(tx, { id: "", name: fields.name, email: fields.email });
      const resource = newResource(deps, { ...fields, compartmentId: deps.rootId, createdBy: creation.createdBy });
      const { name, description, email } = fields;
      const row = { ...resource, name, description, email, is_blocked: 0, can_use_api_keys: 1, can_use_auth_tokens: 1 };
      await tx.insertInto("users").values(row).execute();
      return { id: row.id, record: userOf(row), changed: { kind: "user", id: row.id } };
    },
  });
}

/** Writes what `change` makes of the record, if that is anything new. Throws `not-authorized`, `etag-mismatch`, `user-exists`. */
export function updateUser(
  deps: AccessRecordDeps,
  { id, checkEtag }: Held,
  change: (before: UserRecord) => UserRecord,
): Promise<Committed<UserRecord>> {
  return commit(deps, async (tx) => {
    const before = await readUser(tx, id);
    if (before === undefined) throw new Problem("not-authorized");
    checkEtag(before.etag);
    const after = change(before);
    const columns = changeableColumns(after);
    if (JSON.stringify(columns) === JSON.stringify(changeableColumns(before))) return { record: before };
    if (after.email !== before.email) await checkFree(tx, { id, name: before.name, email: after.email });
    const row = await tx
      .updateTable("users")
      .set({ ...columns, ...changedResource(deps, before) })
      .where("id", "=", id)
      .returningAll()
      .executeTakeFirstOrThrow();
    return { record: userOf(row), changed: { kind: "user", id } };
  });
}

/** With all credentials. As on OCI a user leaves the groups first. Throws `not-authorized`, `etag-mismatch`, `identity-in-use`. */
export function deleteUser(deps: AccessRecordDeps, { id, checkEtag }: Held): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    const user = await readUser(tx, id);
    if (user === undefined) throw new Problem("not-authorized");
    checkEtag(user.etag);
    const member = await tx
      .selectFrom("memberships")
      .select("id")
      .where("user_id", "=", id)
      .limit(1)
      .executeTakeFirst();
    if (member !== undefined)
      throw new Problem("identity-in-use", { what: "user", holds: "it is a member of a group" });
    await tx.deleteFrom("api_keys").where("user_id", "=", id).execute();
    await tx.deleteFrom("tokens").where("user_id", "=", id).execute();
    await tx.deleteFrom("users").where("id", "=", id).execute();
    return { record: undefined, changed: { kind: "user", id } };
  });
}

/** Names and e-mail addresses are unique in the tenancy. */
async function checkFree(
  tx: Kysely<MainTables>,
  { id, name, email }: { readonly id: string; readonly name: string; readonly email: string },
): Promise<void> {
  const taken = await tx
    .selectFrom("users")
    .select("name")
    .where("id", "!=", id)
    .where((eb) => (email === "" ? eb("name", "=", name) : eb.or([eb("name", "=", name), eb("email", "=", email)])))
    .execute();
  if (taken.some((user) => user.name === name)) throw new Problem("user-exists", { what: "name", user: name });
  if (taken.length > 0) throw new Problem("user-exists", { what: "email", user: email });
}

type ChangeableColumn = "description" | "email" | "tags" | "is_blocked" | "can_use_api_keys" | "can_use_auth_tokens";

function changeableColumns(user: UserRecord): Pick<UsersTable, ChangeableColumn> {
  return {
    description: user.description,
    email: user.email,
    tags: writeTags(user.tags),
    is_blocked: Number(user.isBlocked),
    can_use_api_keys: Number(user.canUseApiKeys),
    can_use_auth_tokens: Number(user.canUseAuthTokens),
  };
}

function userOf(row: UsersTable): UserRecord {
  return {
    ...identityOf(row),
    email: row.email,
    isBlocked: row.is_blocked === 1,
    canUseApiKeys: row.can_use_api_keys === 1,
    canUseAuthTokens: row.can_use_auth_tokens === 1,
  };
}
