import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { limits, Problem } from "@chaya/contract";

/** A public key as it is stored. */
export interface PublicKey {
  /** MD5 of the DER SubjectPublicKeyInfo, hexadecimal, colons between the bytes. */
  readonly fingerprint: string;
  /** PEM, SubjectPublicKeyInfo. */
  readonly pem: string;
}

const armour = /^-----BEGIN (?:RSA )?PUBLIC KEY-----\s+[A-Za-z0-9+/=\s]+-----END (?:RSA )?PUBLIC KEY-----$/;

/**
 * Reads what somebody pasted as a public key. Throws `public-key-invalid`; a private key that was pasted instead is
 * never repeated, in no message and no cause.
 */
export function readPublicKey(text: string): PublicKey {
  const pem = text.trim();
  if (/PRIVATE KEY/i.test(pem))
    throw invalid(
      "it is a private key, which nobody else should have seen: make another pair and send its public half",
    );
  if (!armour.test(pem)) throw invalid("it is not one public key in PEM");
  const key = parsedKey(pem);
  if (key?.asymmetricKeyType !== "rsa") throw invalid(key === undefined ? "it cannot be read" : "it is not an RSA key");
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < limits.publicKeyBitsMin || bits > limits.publicKeyBitsMax)
    throw invalid(`it has ${bits} bits, and ${limits.publicKeyBitsMin} to ${limits.publicKeyBitsMax} are accepted`);
  const der = key.export({ type: "spki", format: "der" });
  return { fingerprint: fingerprintOf(der), pem: key.export({ type: "spki", format: "pem" }).toString() };
}

function parsedKey(pem: string): KeyObject | undefined {
  try {
    return createPublicKey(pem);
  } catch {
    // The library's message may quote what it could not read.
    return undefined;
  }
}

/** OCI names keys so; it is a name and protects nothing, which is why MD5 is enough. */
function fingerprintOf(der: Uint8Array): string {
  const digest = createHash("md5").update(der).digest("hex");
  return digest.match(/../g)?.join(":") ?? "";
}

function invalid(reason: string): Problem {
  return new Problem("public-key-invalid", { reason });
}
