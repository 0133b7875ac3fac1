import { createHash } from "node:crypto";
import type { Random } from "../../kernel/random.ts";

/** A new token: the text is its owner's and is kept nowhere, the hash is what is stored. */
export interface MintedToken {
  readonly text: string;
  /** SHA-256 of the text, hexadecimal. */
  readonly hash: string;
}

const prefix = "chaya_";
const secretBytes = 32;
const pattern = /^chaya_[A-Za-z0-9_-]{43}$/;

export function mintToken(random: Random): MintedToken {
  const text = prefix + Buffer.from(random.bytes(secretBytes)).toString("base64url");
  return { text, hash: hashOf(text) };
}

/**
 * The hash under which a token may be known; undefined for what cannot be one. Tokens are found by it and never compared:
 * how long a look-up takes tells of the hash, from which nobody gets closer to a token.
 */
export function tokenHash(text: string): string | undefined {
  return pattern.test(text) ? hashOf(text) : undefined;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
