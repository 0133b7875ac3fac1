import { createPublicKey, type KeyObject } from "node:crypto";
import { idOf } from "@chaya/contract/oci";
import type { Principal } from "../../http/principal.ts";
import type { Random } from "../../kernel/random.ts";
import type { AccessDirectory } from "../model.ts";

/** Who signs with a key. */
export interface Signer {
  readonly principal: Principal;
  readonly publicKey: KeyObject;
}

/** What a valid token of a resource principal says; undefined for any other text. From memory: never waits. */
export type VerifyResourceToken = (
  jwt: string,
) => { readonly functionId: string; readonly publicKey: KeyObject } | undefined;

export interface SignersDeps {
  readonly directory: Pick<AccessDirectory, "rootId" | "user" | "apiKey">;
  readonly verifyResourceToken: VerifyResourceToken;
}

const resourceTokenPrefix = "ST$";

/** Whose key `keyId` names: `TENANCY/USER/FINGERPRINT`, or `ST$` and the token of a resource principal. */
export function findSigner(deps: SignersDeps, keyId: string): Signer | undefined {
  return keyId.startsWith(resourceTokenPrefix)
    ? resourceSigner(deps, keyId.slice(resourceTokenPrefix.length))
    : userSigner(deps, keyId);
}

function userSigner({ directory }: SignersDeps, keyId: string): Signer | undefined {
  const [tenancy = "", user = "", fingerprint = "", ...rest] = keyId.split("/");
  const userId = idOf("user", user);
  if (rest.length > 0 || userId === undefined || idOf("tenancy", tenancy) !== directory.rootId) return undefined;
  const known = directory.user(userId);
  const key = directory.apiKey(userId, fingerprint.toLowerCase());
  if (known === undefined || known.isBlocked || key === undefined) return undefined;
  return { principal: { kind: "user", id: known.id, name: known.name }, publicKey: key.publicKey };
}

function resourceSigner({ verifyResourceToken }: SignersDeps, jwt: string): Signer | undefined {
  const token = verifyResourceToken(jwt);
  if (token === undefined) return undefined;
  const { functionId, publicKey } = token;
  return { principal: { kind: "resource", id: functionId, name: functionId }, publicKey };
}

/** A key that nobody has the other half of: a signature by an unknown key costs as much to refuse as a wrong one. */
export function decoyKey(random: Random): KeyObject {
  const modulus = Uint8Array.from(random.bytes(256));
  modulus[0] = (modulus[0] ?? 0) | 0x80;
  modulus[255] = (modulus[255] ?? 0) | 1;
  const key = { kty: "RSA", n: Buffer.from(modulus).toString("base64url"), e: "AQAB" };
  return createPublicKey({ key, format: "jwk" });
}
