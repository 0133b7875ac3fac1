import { limits, Problem } from "@chaya/contract";
import type { Kysely } from "kysely";
import type { ApiKeysTable, MainTables } from "../../drivers/store/tables.ts";
import { isId } from "../../kernel/ids.ts";
import type { PublicKey } from "../public-key.ts";
import { type AccessRecordDeps, type Committed, commit, type ReadDeps } from "./commit.ts";
import { type Creation, create } from "./retry-tokens.ts";
import { readUser } from "./users.ts";

/** A key of a user. It never changes: its etag is its fingerprint. */
export interface ApiKeyRecord extends PublicKey {
  readonly userId: string;
  readonly createdAtMs: number;
}

/** In the order of their making; of one user, or of all. */
export async function readApiKeys(db: Kysely<MainTables>, userId?: string): Promise<readonly ApiKeyRecord[]> {
  let query = db.selectFrom("api_keys").selectAll().orderBy("created_at_ms").orderBy("fingerprint");
  if (userId !== undefined) query = query.where("user_id", "=", userId);
  return (await query.execute()).map(apiKeyOf);
}

/** Throws `api-key-exists`, `identity-exhausted`, `retry-token-invalidated`, `not-authorized` when there is no such user. */
export function insertApiKey(
  deps: AccessRecordDeps,
  creation: Creation,
  { userId, key }: { readonly userId: string; readonly key: PublicKey },
): Promise<Committed<ApiKeyRecord>> {
  const { fingerprint, pem } = key;
  return create(deps, {
    creation,
    find: async (tx, id) => {
      const record = (await readApiKeys(tx, userId)).find((known) => `${userId}/${known.fingerprint}` === id);
      return record && { record };
    },
    make: async (tx) => {
      if ((await readUser(tx, userId)) === undefined) throw new Problem("not-authorized");
      const known = await readApiKeys(tx, userId);
      if (known.some((other) => other.fingerprint === fingerprint))
        throw new Problem("api-key-exists", { fingerprint });
      if (known.length >= limits.apiKeysPerUserMax)
        throw new Problem("identity-exhausted", { what: "API keys of the user", countMax: limits.apiKeysPerUserMax });
      const row = { user_id: userId, fingerprint, public_key: pem, created_at_ms: deps.clock.nowMs() };
      await tx.insertInto("api_keys").values(row).execute();
      return { id: `${userId}/${fingerprint}`, record: apiKeyOf(row), changed: { kind: "user-keys", id: userId } };
    },
  });
}

/** Throws `not-authorized`, `etag-mismatch`. */
export function deleteApiKey(
  deps: Pick<AccessRecordDeps, keyof ReadDeps | "changes">,
  deleted: { readonly userId: string; readonly fingerprint: string; readonly checkEtag: (etag: string) => void },
): Promise<Committed<undefined>> {
  const { userId, fingerprint, checkEtag } = deleted;
  return commit(deps, async (tx) => {
    const row =
      isId(userId) &&
      (await tx
        .deleteFrom("api_keys")
        .where("user_id", "=", userId)
        .where("fingerprint", "=", fingerprint)
        .returning("fingerprint")
        .executeTakeFirst());
    if (!row) throw new Problem("not-authorized");
    checkEtag(row.fingerprint);
    return { record: undefined, changed: { kind: "user-keys", id: userId } };
  });
}

function apiKeyOf(row: ApiKeysTable): ApiKeyRecord {
  return {
    userId: row.user_id,
    fingerprint: row.fingerprint,
    pem: row.public_key,
    createdAtMs: row.created_at_ms,
  };
}
