import { createCipheriv, createDecipheriv } from "node:crypto";
import type { SealedSecret, SecretPlace } from "./secret.ts";

export const keyBytes = 32;
/** One for each sealing, by chance: NIST SP 800-38D §8.3 allows 2^32 of them under one key. */
export const nonceBytes = 12;
const tagBytes = 16;
const cipher = "aes-256-gcm";

/** AES-256-GCM: nonce, tag, ciphertext. Opens under the same key for the same secret only. */
export function sealValue(
  key: Uint8Array,
  secret: SecretPlace & { readonly id: string; readonly value: string },
  nonce: Uint8Array,
): Uint8Array {
  const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes }).setAAD(placeBytes(secret));
  const sealed = Buffer.concat([sealing.update(secret.value, "utf8"), sealing.final()]);
  return Buffer.concat([nonce, sealing.getAuthTag(), sealed]);
}

/** The value; undefined when the key, the place or one of the bytes is another than it was sealed with. */
export function openValue(key: Uint8Array, secret: SealedSecret): string | undefined {
  const { sealed } = secret;
  if (sealed.length < nonceBytes + tagBytes) return undefined;
  const opening = createDecipheriv(cipher, key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes })
    .setAAD(placeBytes(secret))
    .setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
  const value = opening.update(sealed.subarray(nonceBytes + tagBytes));
  try {
    return Buffer.concat([value, opening.final()]).toString("utf8");
  } catch {
    // The tag does not fit: `final` has no other way to fail.
    return undefined;
  }
}

function placeBytes({ id, applicationId, functionId, name }: SecretPlace & { readonly id: string }): Buffer {
  return Buffer.from(JSON.stringify([id, applicationId, functionId, name]));
}
