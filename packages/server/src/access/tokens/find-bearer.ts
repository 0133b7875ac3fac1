import type { Principal } from "../../http/principal.ts";
import type { AccessDirectory, Token, TokenKind } from "../model.ts";
import { tokenHash } from "./token-text.ts";

/** Who sent a token. */
export interface Bearer {
  readonly principal: Principal;
  readonly token: Token;
}

export type TokenDirectory = Pick<AccessDirectory, "token" | "user">;

/** A login token is no credential: it is exchanged for a session. */
const credentials: ReadonlySet<TokenKind> = new Set(["auth", "session", "admin"]);

/** Whose token this is; undefined when it is unknown or expired, no credential, or its user gone or blocked. */
export function findBearer(directory: TokenDirectory, text: string, nowMs: number): Bearer | undefined {
  const hash = tokenHash(text);
  const token = hash === undefined ? undefined : directory.token(hash);
  if (token === undefined || !credentials.has(token.kind)) return undefined;
  if (token.expiresAtMs !== undefined && token.expiresAtMs <= nowMs) return undefined;
  const user = directory.user(token.userId);
  if (user === undefined || user.isBlocked) return undefined;
  return { principal: { kind: "user", id: user.id, name: user.name }, token };
}

/** What stands behind the scheme in `Authorization: Bearer …`. */
export function bearerText(authorization: string | undefined): string | undefined {
  return /^bearer +(.*)$/is.exec(authorization ?? "")?.[1];
}
