import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { promisify } from "node:util";
import { limits } from "@chaya/contract";
import { idOf, ocidOf } from "@chaya/contract/oci";
import { z } from "zod";
import type { PublicJwk } from "./key-pair.ts";

/** The key that signs tokens. */
export interface TokenSigner {
  readonly privateKey: KeyObject;
  readonly kid: string;
}

/** Who a token is for. */
export interface TokenSubject {
  readonly functionId: string;
  readonly compartmentId: string;
  /** Of the root compartment, which is the tenancy's. */
  readonly rootId: string;
  readonly region: string;
  /** The key that its requests are signed with. */
  readonly jwk: PublicJwk;
}

/** What a token of ours says. */
export interface ReadToken {
  readonly functionId: string;
  readonly publicKey: KeyObject;
  readonly expiresAtMs: number;
}

const issuer = "authService.oracle.com";
const audience = "oci";
const resourceType = "fnfunc";
/** Ours have 2,100. */
const tokenCharactersMax = 8 * 1024;
const pattern = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const signInBackground = promisify<string, Buffer, KeyObject, Buffer>(sign);

/** A resource principal session token: a JWT (RFC 7519) with the claims that OCI's SDKs look at. */
export async function signToken(
  subject: TokenSubject,
  signer: TokenSigner,
  made: { readonly nowMs: number; readonly tokenId: string },
): Promise<string> {
  const header = { alg: "RS256", typ: "JWT", kid: signer.kid };
  const signed = `${encode(header)}.${encode(claimsOf(subject, made))}`;
  const signature = await signInBackground("sha256", Buffer.from(signed), signer.privateKey);
  return `${signed}.${signature.toString("base64url")}`;
}

/**
 * Reads a token that `signToken` made with the other half of `publicKey`; undefined for anything else, and when it has
 * expired. Nothing of it is looked at before its signature has been verified, and its header not even then.
 */
export function readToken(token: string, publicKey: KeyObject, nowMs: number): ReadToken | undefined {
  if (token.length > tokenCharactersMax || !pattern.test(token)) return undefined;
  const end = token.lastIndexOf(".");
  const signature = Buffer.from(token.slice(end + 1), "base64url");
  if (!verify("sha256", Buffer.from(token.slice(0, end)), publicKey, signature)) return undefined;
  const payload = token.slice(token.indexOf(".") + 1, end);
  const claims = Claims.safeParse(JSON.parse(Buffer.from(payload, "base64url").toString())).data;
  if (claims === undefined) return undefined;
  const functionId = idOf(resourceType, claims.res_id);
  const expiresAtMs = claims.exp * 1000;
  if (functionId === undefined || expiresAtMs <= nowMs) return undefined;
  const { kty, n, e } = Jwk.parse(JSON.parse(claims.jwk));
  return { functionId, publicKey: createPublicKey({ key: { kty, n, e }, format: "jwk" }), expiresAtMs };
}

const Claims = z.object({
  iss: z.literal(issuer),
  aud: z.literal(audience),
  exp: z.int(),
  res_type: z.literal(resourceType),
  res_id: z.string(),
  jwk: z.string(),
});
const Jwk = z.object({ kty: z.literal("RSA"), n: z.string(), e: z.string() });

function claimsOf(
  { functionId, compartmentId, rootId, region, jwk }: TokenSubject,
  { nowMs, tokenId }: { readonly nowMs: number; readonly tokenId: string },
) {
  const id = ocidOf(resourceType, functionId, region);
  const tenancy = ocidOf("tenancy", rootId, region);
  const iat = Math.floor(nowMs / 1000);
  return {
    sub: id,
    iss: issuer,
    aud: audience,
    iat,
    exp: iat + limits.resourceTokenAgeMsMax / 1000,
    jti: tokenId,
    ttype: "res_sp",
    ptype: "resource",
    res_type: resourceType,
    res_id: id,
    res_tenant: tenancy,
    res_compartment: compartmentId === rootId ? tenancy : ocidOf("compartment", compartmentId, region),
    tenant: tenancy,
    // JSON in a string: the SDKs parse it once more.
    jwk: JSON.stringify(jwk),
  };
}

function encode(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
