import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { CredentialMask } from "./credential-mask.ts";

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pem = String(privateKey.export({ type: "pkcs8", format: "pem" }));
const header = "eyJhbGciOiJSUzI1NiIsImtpZCI6Im91cnMifQ.";
const token = `${header}eyJzdWIiOiJ4In0.c2ln-_bmF0dXJl`;

function printer(tokenBegin?: string): (line: string) => string {
  const mask = new CredentialMask(() => (tokenBegin === undefined ? undefined : Buffer.from(tokenBegin)));
  return (line) => Buffer.from(mask.hide(Buffer.from(line))).toString();
}

describe("the output of an instance", () => {
  it("shows no line of its private key, and goes on behind it", () => {
    const show = printer(header);
    const lines = pem.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(25);
    for (const line of lines) expect(show(line)).toBe("[secret]");
    expect(["Hello", "d29ybGQ"].map(show)).toEqual(["Hello", "d29ybGQ"]);
  });

  it("shows no key that is printed as one line, as JSON or from within a text", () => {
    const show = printer(header);
    expect(show(`{"key":${JSON.stringify(pem.trimEnd())},"a":1}`)).toBe('{"key":"[secret]","a":1}');
    expect(show(`a ${pem.trimEnd().replaceAll("\n", " ")} b ${pem.trimEnd().replaceAll("\n", "")}`)).toBe(
      "a [secret] b [secret]",
    );
    expect(show(`cut: ${pem.slice(0, 200).replaceAll("\n", "\\n")}`)).toBe("cut: [secret]");
  });

  it("shows what else is printed in between", () => {
    const show = printer(header);
    const [first = "", second = "", ...rest] = pem.trimEnd().split("\n");
    expect([first, second, "meanwhile: something else", ...rest].map(show)).toEqual([
      ...["[secret]", "[secret]", "meanwhile: something else"],
      ...rest.map(() => "[secret]"),
    ]);
  });

  it("shows no token of the platform, wherever it stands, and other tokens as they are", () => {
    const show = printer(header);
    expect(show(`${token} and keyId="ST$${token}",x ${token}`)).toBe('[secret] and keyId="ST$[secret]",x [secret]');
    const other = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.sig";
    expect(show(other)).toBe(other);
    expect(printer(undefined)(token)).toBe(token);
  });

  it("is the same bytes where there is nothing to hide", () => {
    const mask = new CredentialMask(() => Buffer.from(header));
    for (const text of ["", "a line", "-----BEGIN CERTIFICATE-----", "\u0000\u00ff"]) {
      const bytes = Buffer.from(text);
      expect(Buffer.from(mask.hide(bytes)).equals(bytes)).toBe(true);
    }
    expect(createPrivateKey(pem).type).toBe("private");
  });
});
