import { expect, it } from "vitest";
import { withProfile } from "./oci-config.ts";

const profile = { name: "CHAYA", user: "u", fingerprint: "f", tenancy: "t", region: "r", keyFile: "/k.pem" };
const made = "[CHAYA]\nuser=u\nfingerprint=f\ntenancy=t\nregion=r\nkey_file=/k.pem\n";
const other = "# mine\n[DEFAULT]\nuser = x ; kept\n";

it("makes a file", () => expect(withProfile("", profile)).toBe(made));

it("adds a profile behind the others", () => expect(withProfile(other, profile)).toBe(`${other}\n${made}`));

it("replaces the profile where it stands and leaves the rest as it is", () => {
  const before = `${other}\n[CHAYA]\nuser=old\npass_phrase=x\n\n[LAST]\nregion=z\n`;
  expect(withProfile(before, profile)).toBe(`${other}\n${made}\n[LAST]\nregion=z\n`);
  expect(withProfile(withProfile(before, profile), profile)).toBe(withProfile(before, profile));
});

it("does not take a name for another's", () => {
  expect(withProfile("[CHAYA2]\nuser=x\n", profile)).toBe(`[CHAYA2]\nuser=x\n\n${made}`);
});
