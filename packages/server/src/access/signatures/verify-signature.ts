import { type KeyObject, verify } from "node:crypto";
import { otherTargets } from "./request-targets.ts";
import type { SignedRequest } from "./signed-request.ts";

/** Whether the owner of the key signed this request. */
export function isSignedBy(publicKey: KeyObject, { target, signature, signingString }: SignedRequest): boolean {
  const signed = (candidate: string) => isRight(publicKey, signature, signingString(candidate));
  return signed(target) || otherTargets(target).values().some(signed);
}

/** RFC 8017 §8.2: RSASSA-PKCS1-v1_5 with SHA-256. */
function isRight(publicKey: KeyObject, signature: Buffer, text: string): boolean {
  return verify("sha256", Buffer.from(text, "latin1"), publicKey, signature);
}
