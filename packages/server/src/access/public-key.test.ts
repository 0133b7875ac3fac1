import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { inspect } from "node:util";
import { isProblem } from "@chaya/contract";
import { expect, it } from "vitest";
import { newTestKey } from "../testing/identity-server.ts";
import { readPublicKey } from "./public-key.ts";

const { publicKey, privateKey } = newTestKey();

const knownKey = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA6ZkkBypCxZkBKwhggtdD
jmUG5xd2aITdJBunYOaiamDGuUNXPIhXMfpjhNZvqfkmLiqPVxO1VrjDQMLac0eW
LBJYDW/XpS7oOGaf5oDR+eK32uwbroO8DB8CCpx+KTFGrG6M0nKJvTAc029uMsmh
efsVosksMFxGkPMkYYE+xfl+qs2FcF+EI76qxmFxiQBT6lZF3isqHwlCbjvHEkeq
unbQW2a50ul6RaTGkJ6BYEnxtdxhovmn/AfX8a4V0Bfw8WwihpY22rTsgG6g+snl
dPHHTjDYdg7+UHavMZOYrffGibyb92bd7zl5aWk0Ndtbzr2E0ZNbWgzFR+WRpxRi
BwIDAQAB
-----END PUBLIC KEY-----`;

/** The problem as whoever logs it would see it. */
function refused(text: string): string {
  try {
    readPublicKey(text);
  } catch (error) {
    if (!isProblem(error, "public-key-invalid")) throw error;
    return inspect(error, { depth: 10, showHidden: true });
  }
  throw new Error("it was taken");
}

it("names a key as openssl and OCI do, however it was written", () => {
  // openssl rsa -pubin -outform DER | openssl md5 -c
  expect(readPublicKey(knownKey).fingerprint).toBe("fe:87:2d:a5:27:a9:0b:84:76:fe:e5:72:0b:50:86:72");
  const { fingerprint, pem } = readPublicKey(publicKey);
  const pkcs1 = createPublicKey(publicKey).export({ type: "pkcs1", format: "pem" }).toString();
  for (const text of [publicKey.trim(), `\n  ${publicKey}\n`, publicKey.replaceAll("\n", "\r\n"), pkcs1])
    expect(readPublicKey(text)).toEqual({ fingerprint, pem });
});

it("never repeats a private key that was sent by mistake", () => {
  const secret = privateKey.split("\n")[5] ?? "";
  expect(secret.length).toBeGreaterThan(60);
  for (const text of [privateKey, `${publicKey}\n${privateKey}`, privateKey.replace("PRIVATE", "private")]) {
    const shown = refused(text);
    expect(shown).toContain("private key");
    expect(shown).not.toContain(secret);
  }
  // Without its first line it is not known to be one, and still not repeated.
  expect(refused(privateKey.slice(30))).not.toContain(secret);
});

it("takes RSA keys of 2048 bits and more only", () => {
  const rsa = (modulusLength: number) =>
    generateKeyPairSync("rsa", { modulusLength }).publicKey.export({ type: "spki", format: "pem" }).toString();
  expect(refused(rsa(1024))).toContain("1024 bits");
  const elliptic = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  expect(refused(elliptic.export({ type: "spki", format: "pem" }).toString())).toContain("not an RSA key");
  expect(refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")).toContain("not one public key");
  expect(refused(`${publicKey}\n${publicKey}`)).toContain("not one public key");
  expect(refused(knownKey.replace("MIIB", "AAAA"))).toContain("cannot be read");
});
