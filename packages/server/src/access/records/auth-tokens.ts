import { createHash } from "node:crypto";
import { limits, Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { MainTables, TokensTable } from "../../drivers/store/tables.ts";
import { isId } from "../../kernel/ids.ts";
import { type AccessRecordDeps, type Committed, commit, type Held, type ReadDeps } from "./commit.ts";
import { type Creation, create } from "./retry-tokens.ts";
import { readUser } from "./users.ts";

/** A token that a user keeps for programs. */
export interface AuthToken {
  readonly id: string;
  readonly userId: string;
  readonly description: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | undefined;
}

export interface AuthTokenToMake {
  readonly userId: string;
  readonly description: string;
  /** SHA-256 of the token, hexadecimal. */
  readonly hash: string;
}

/** In the order of their making. */
export async function readAuthTokens(deps: ReadDeps, userId: string): Promise<readonly AuthToken[]> {
  const rows = await ofUser(deps.store.db, userId).orderBy("created_at_ms").orderBy("id").execute();
  return rows.map(authTokenOf);
}

/** All that ever changes of it is its description. */
export function etagOf({ id, description }: AuthToken): string {
  return createHash("sha256").update(`${id} ${description}`).digest("hex").slice(0, 32);
}

/**
 * A repeated request gives the same token another value, which only then was seen by somebody: values are not kept.
 * Throws `identity-exhausted`, `retry-token-invalidated`, `not-authorized` when there is no such user.
 */
export function insertAuthToken(
  deps: AccessRecordDeps,
  creation: Creation,
  { userId, description, hash }: AuthTokenToMake,
): Promise<Committed<AuthToken>> {
  return create(deps, {
    creation,
    find: async (tx, id) => {
      const row = await tx
        .updateTable("tokens")
        .set({ hash })
        .where("id", "=", id)
        .where("user_id", "=", userId)
        .returningAll()
        .executeTakeFirst();
      return row && { record: authTokenOf(row), changed: { kind: "token", id } };
    },
    make: async (tx) => {
      if ((await readUser(tx, userId)) === undefined) throw new Problem("not-authorized");
      const known = await ofUser(tx, userId).execute();
      if (known.length >= limits.authTokensPerUserMax)
        throw new Problem("identity-exhausted", {
          what: "auth tokens of the user",
          countMax: limits.authTokensPerUserMax,
        });
      const own = { id: deps.newId(), user_id: userId, description, hash, kind: "auth" };
      const row = { ...own, created_at_ms: deps.clock.nowMs(), expires_at_ms: null };
      await tx.insertInto("tokens").values(row).execute();
      return { id: row.id, record: authTokenOf(row), changed: { kind: "token", id: row.id } };
    },
  });
}

/** Throws `not-authorized`, `etag-mismatch`. */
export function describeAuthToken(
  deps: Pick<AccessRecordDeps, "store" | "changes">,
  held: Held & { readonly userId: string },
  description: string | undefined,
): Promise<Committed<AuthToken>> {
  return commit(deps, async (tx) => {
    const before = await heldToken(tx, held);
    if (description === undefined || description === before.description) return { record: before };
    // No node keeps the description, so none needs to hear of it.
    await tx.updateTable("tokens").set({ description }).where("id", "=", held.id).execute();
    return { record: { ...before, description } };
  });
}

/** Throws `not-authorized`, `etag-mismatch`. */
export function deleteAuthToken(
  deps: Pick<AccessRecordDeps, "store" | "changes">,
  held: Held & { readonly userId: string },
): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    const { id } = await heldToken(tx, held);
    await tx.deleteFrom("tokens").where("id", "=", id).execute();
    return { record: undefined, changed: { kind: "token", id } };
  });
}

async function heldToken(
  tx: Kysely<MainTables>,
  { id, userId, checkEtag }: Held & { readonly userId: string },
): Promise<AuthToken> {
  const row = isId(id) ? await ofUser(tx, userId).where("id", "=", id).executeTakeFirst() : undefined;
  if (row === undefined) throw new Problem("not-authorized");
  const token = authTokenOf(row);
  checkEtag(etagOf(token));
  return token;
}

function ofUser(db: Kysely<MainTables>, userId: string) {
  return db.selectFrom("tokens").selectAll().where("user_id", "=", userId).where("kind", "=", "auth");
}

function authTokenOf(row: TokensTable): AuthToken {
  return {
    id: row.id,
    userId: row.user_id,
    description: row.description,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms ?? undefined,
  };
}
