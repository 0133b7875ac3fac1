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
  return sealBytes({ key, nonce, place: placeBytes(secret) }, Buffer.from(secret.value));
}

/** The value; undefined when the key, the place or one of the bytes is another than it was sealed with. */
export function openValue(key: Uint8Array, secret: SealedSecret): string | undefined {
  return openBytes({ key, place: placeBytes(secret) }, secret.sealed)?.toString("utf8");
}

/** As `sealValue`, for any bytes; `place` is authenticated with them. */
export function sealBytes(
  { key, nonce, place }: { readonly key: Uint8Array; readonly nonce: Uint8Array; readonly place: Uint8Array },
  bytes: Uint8Array,
): Uint8Array {
  const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes }).setAAD(place);
  const sealed = Buffer.concat([sealing.update(bytes), sealing.final()]);
  return Buffer.concat([nonce, sealing.getAuthTag(), sealed]);
}

/** As `openValue`, for any bytes. */
export function openBytes(
  { key, place }: { readonly key: Uint8Array; readonly place: Uint8Array },
  sealed: Uint8Array,
): Buffer | undefined {
  if (sealed.length < nonceBytes + tagBytes) return undefined;
  const opening = createDecipheriv(cipher, key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes })
    .setAAD(place)
    .setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
  const bytes = opening.update(sealed.subarray(nonceBytes + tagBytes));
  try {
    return Buffer.concat([bytes, opening.final()]);
  } catch {
    // The tag does not fit: `final` has no other way to fail.
    return undefined;
  }
}

function placeBytes({ id, applicationId, functionId, name }: SecretPlace & { readonly id: string }): Buffer {
  return Buffer.from(JSON.stringify([id, applicationId, functionId, name]));
}
