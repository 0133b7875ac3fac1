import { limits, Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { MainTables, MembershipsTable } from "../../drivers/store/tables.ts";
import { isId } from "../../kernel/ids.ts";
import { type AccessRecordDeps, type Committed, commit, type Held, type ReadDeps } from "./commit.ts";
import { readGroup } from "./groups.ts";
import { type IdentityPage, onPage } from "./identity-page.ts";
import { type Creation, create } from "./retry-tokens.ts";
import { readUser } from "./users.ts";

/** That a user is in a group. It never changes: its etag is its id. */
export interface Membership {
  readonly id: string;
  readonly userId: string;
  readonly groupId: string;
  readonly createdAtMs: number;
}

export async function readMembership(db: Kysely<MainTables>, id: string): Promise<Membership | undefined> {
  if (!isId(id)) return undefined;
  const row = await db.selectFrom("memberships").selectAll().where("id", "=", id).executeTakeFirst();
  return row && membershipOf(row);
}

export async function readMemberships(deps: ReadDeps): Promise<readonly Membership[]> {
  return (await deps.store.db.selectFrom("memberships").selectAll().execute()).map(membershipOf);
}

/** One more than the page holds when there are more. */
export async function listMemberships(
  deps: ReadDeps,
  filter: { readonly userId: string | undefined; readonly groupId: string | undefined; readonly page: IdentityPage },
): Promise<readonly Membership[]> {
  const { userId, groupId, page } = filter;
  let query = deps.store.db.selectFrom("memberships").selectAll();
  if (userId !== undefined) query = query.where("user_id", "=", userId);
  if (groupId !== undefined) query = query.where("group_id", "=", groupId);
  return (await onPage(query, page).execute()).map(membershipOf);
}

/**
 * Throws `membership-exists`, `identity-exhausted`, `retry-token-invalidated`, `not-authorized` when the user or the
 * group is not there.
 */
export function insertMembership(
  deps: AccessRecordDeps,
  creation: Creation,
  { userId, groupId }: { readonly userId: string; readonly groupId: string },
): Promise<Committed<Membership>> {
  return create(deps, {
    creation,
    find: async (tx, id) => {
      const record = await readMembership(tx, id);
      return record && { record };
    },
    make: async (tx) => {
      if ((await readUser(tx, userId)) === undefined || (await readGroup(tx, groupId)) === undefined)
        throw new Problem("not-authorized");
      const rows = await tx.selectFrom("memberships").select("group_id").where("user_id", "=", userId).execute();
      if (rows.some((row) => row.group_id === groupId)) throw new Problem("membership-exists");
      if (rows.length >= limits.groupsPerUserMax)
        throw new Problem("identity-exhausted", { what: "groups of the user", countMax: limits.groupsPerUserMax });
      const row = { id: deps.newId(), user_id: userId, group_id: groupId, created_at_ms: deps.clock.nowMs() };
      await tx.insertInto("memberships").values(row).execute();
      return { id: row.id, record: membershipOf(row), changed: { kind: "membership", id: row.id } };
    },
  });
}

/** Throws `not-authorized`, `etag-mismatch`. */
export function deleteMembership(deps: AccessRecordDeps, { id, checkEtag }: Held): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    const membership = await readMembership(tx, id);
    if (membership === undefined) throw new Problem("not-authorized");
    checkEtag(membership.id);
    await tx.deleteFrom("memberships").where("id", "=", id).execute();
    return { record: undefined, changed: { kind: "membership", id } };
  });
}

function membershipOf(row: MembershipsTable): Membership {
  return { id: row.id, userId: row.user_id, groupId: row.group_id, createdAtMs: row.created_at_ms };
}
