import type { Kysely } from "kysely";
import type { MainTables, TokensTable } from "../../drivers/store/tables.ts";
import type { Token, TokenKind } from "../model.ts";
import type { ReadDeps } from "./commit.ts";

/** Tokens of every kind. What adds or removes one names its id in the feed, under the kind `token`. */
export async function readTokens(deps: ReadDeps): Promise<readonly Token[]> {
  return (await deps.store.db.selectFrom("tokens").selectAll().execute()).map(tokenOf);
}

export async function readToken(db: Kysely<MainTables>, id: string): Promise<Token | undefined> {
  const row = await db.selectFrom("tokens").selectAll().where("id", "=", id).executeTakeFirst();
  return row && tokenOf(row);
}

export function tokenOf(row: TokensTable): Token {
  return {
    id: row.id,
    hash: row.hash,
    // Only tokens of these kinds are ever written.
    kind: row.kind as TokenKind,
    userId: row.user_id,
    expiresAtMs: row.expires_at_ms ?? undefined,
  };
}
