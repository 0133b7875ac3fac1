import { createHash, createPublicKey, generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import { assert } from "../../kernel/assert.ts";

/** RSA-2048. */
export interface KeyPair {
  /** PEM, PKCS #8. */
  readonly privateKey: string;
  /** PEM, SubjectPublicKeyInfo. */
  readonly publicKey: string;
}

/** A public key as RFC 7517 has it, with its thumbprint as `kid`. */
export interface PublicJwk {
  readonly kty: "RSA";
  readonly n: string;
  readonly e: string;
  readonly alg: "RS256";
  readonly use: "sig";
  readonly kid: string;
}

/** What Node makes one from, in the forms of `KeyPair`. */
export const keyPairOptions = {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
} as const;

/** Takes 40 ms of a core, in one of the threads that Node works with files in. */
export function makeKeyPair(): Promise<KeyPair> {
  return promisify(generateKeyPair)("rsa", keyPairOptions);
}

/** `publicKey`: PEM. */
export function publicJwk(publicKey: string): PublicJwk {
  const { n, e } = createPublicKey(publicKey).export({ format: "jwk" });
  assert(n !== undefined && e !== undefined, "an RSA key has a modulus and an exponent");
  // RFC 7638 §3: the required members in order of their names.
  const kid = createHash("sha256")
    .update(JSON.stringify({ e, kty: "RSA", n }))
    .digest("base64url");
  return { kty: "RSA", n, e, alg: "RS256", use: "sig", kid };
}
