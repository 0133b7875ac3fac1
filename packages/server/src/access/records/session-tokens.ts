import { limits, Problem } from "@chaya/contract";
import type { User } from "../model.ts";
import { type AccessRecordDeps, type Committed, commit, type ReadDeps } from "./commit.ts";
import { readUser } from "./users.ts";

/** A token that is about to be kept: the hash of what its owner gets, and until when it is good. */
export interface LimitedToken {
  /** SHA-256 of the token, hexadecimal. */
  readonly hash: string;
  readonly expiresAtMs: number;
}

/** Throws `identity-exhausted`, and `not-authorized` when there is no such user. */
export function insertLoginToken(
  deps: AccessRecordDeps,
  userId: string,
  { hash, expiresAtMs }: LimitedToken,
): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    if ((await readUser(tx, userId)) === undefined) throw new Problem("not-authorized");
    const known = await tx
      .selectFrom("tokens")
      .select("id")
      .where("user_id", "=", userId)
      .where("kind", "in", ["login", "session"])
      .where("expires_at_ms", ">", deps.clock.nowMs())
      .execute();
    if (known.length >= limits.sessionsPerUserMax)
      throw new Problem("identity-exhausted", {
        what: "sessions and login links of the user",
        countMax: limits.sessionsPerUserMax,
      });
    const own = { id: deps.newId(), user_id: userId, description: "", kind: "login" };
    const row = { ...own, hash, created_at_ms: deps.clock.nowMs(), expires_at_ms: expiresAtMs };
    await tx.insertInto("tokens").values(row).execute();
    return { record: undefined, changed: { kind: "token", id: row.id } };
  });
}

/** Whether a login token could be exchanged now; read from the store, which knows of links that other nodes made. */
export async function isLoginToken({ store, clock }: Pick<AccessRecordDeps, "store" | "clock">, hash: string) {
  const row = await store.db
    .selectFrom("tokens")
    .select("id")
    .where("hash", "=", hash)
    .where("kind", "=", "login")
    .where("expires_at_ms", ">", clock.nowMs())
    .executeTakeFirst();
  return row !== undefined;
}

/** Makes a login token the session that it is exchanged for: once, whoever else tries. Throws `login-token-invalid`. */
export function exchangeLoginToken(
  deps: AccessRecordDeps,
  loginHash: string,
  { hash, expiresAtMs }: LimitedToken,
): Promise<Committed<User>> {
  return commit(deps, async (tx) => {
    const nowMs = deps.clock.nowMs();
    const row = await tx
      .updateTable("tokens")
      .set({ kind: "session", hash, created_at_ms: nowMs, expires_at_ms: expiresAtMs })
      .where("hash", "=", loginHash)
      .where("kind", "=", "login")
      .where("expires_at_ms", ">", nowMs)
      .returning(["id", "user_id"])
      .executeTakeFirst();
    const user = row && (await readUser(tx, row.user_id));
    if (row === undefined || user === undefined || user.isBlocked) throw new Problem("login-token-invalid");
    return { record: user, changed: { kind: "token", id: row.id } };
  });
}

/** Throws `session-missing`. */
export function deleteSession(
  deps: Pick<AccessRecordDeps, "store" | "changes">,
  id: string,
): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    const row = await tx
      .deleteFrom("tokens")
      .where("id", "=", id)
      .where("kind", "=", "session")
      .returning("id")
      .executeTakeFirst();
    if (row === undefined) throw new Problem("session-missing");
    return { record: undefined, changed: { kind: "token", id } };
  });
}

/** Tokens that are good no more, the first to expire first. */
export async function readExpiredTokens({ store }: ReadDeps, nowMs: number, countMax: number) {
  const rows = await store.db
    .selectFrom("tokens")
    .select("id")
    .where("expires_at_ms", "<=", nowMs)
    .orderBy("expires_at_ms")
    .limit(countMax)
    .execute();
  return rows.map(({ id }) => id);
}

/** Removes it if it still is expired; every node may try. */
export function deleteExpiredToken(
  deps: Pick<AccessRecordDeps, "store" | "changes">,
  id: string,
  nowMs: number,
): Promise<Committed<undefined>> {
  return commit(deps, async (tx) => {
    const row = await tx
      .deleteFrom("tokens")
      .where("id", "=", id)
      .where("expires_at_ms", "<=", nowMs)
      .returning("id")
      .executeTakeFirst();
    return { record: undefined, ...(row !== undefined && { changed: { kind: "token", id } }) };
  });
}

/** Puts a new administrator's token in the place of the one that `serverId` had before, if it had one. */
export function replaceAdminToken(
  deps: AccessRecordDeps,
  token: { readonly serverId: string; readonly userId: string; readonly hash: string },
): Promise<Committed<undefined>> {
  const { serverId, userId, hash } = token;
  return commit(deps, async (tx) => {
    const description = `Of the data directory of server ${serverId}`;
    const fields = { hash, user_id: userId, created_at_ms: deps.clock.nowMs() };
    const row = await tx
      .updateTable("tokens")
      .set(fields)
      .where("kind", "=", "admin")
      .where("description", "=", description)
      .returning("id")
      .executeTakeFirst();
    if (row !== undefined) return { record: undefined, changed: { kind: "token", id: row.id } };
    const id = deps.newId();
    const made = { id, ...fields, kind: "admin", description, expires_at_ms: null };
    await tx.insertInto("tokens").values(made).execute();
    return { record: undefined, changed: { kind: "token", id } };
  });
}
