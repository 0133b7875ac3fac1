import { expect, it } from "vitest";
import { profileValue, withProfile } from "./oci-config.ts";

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

it("keeps line ends, comments before the next profile, and a last line without an end", () => {
  const windows = "[DEFAULT]\r\nuser=x\r\n";
  expect(withProfile(windows, profile)).toBe(`${windows}\r\n${made.replaceAll("\n", "\r\n")}`);
  const before = "[CHAYA]\nuser=old\n# old\nregion=z\n\n# of the last\n[LAST]\nregion=z";
  expect(withProfile(before, profile)).toBe(`${made}\n# of the last\n[LAST]\nregion=z`);
  expect(withProfile("[A]\nb=c", profile)).toBe(`[A]\nb=c\n\n${made}`);
});

it("reads a value of one profile", () => {
  const text = `${other}\n[CHAYA]\nuser = old = er\t\n;fingerprint=no\nfingerprint: aa:bb\n[LAST]\nregion=z\n`;
  const read = (name: string, key: string) => profileValue(text, name, key);
  expect([read("CHAYA", "user"), read("CHAYA", "fingerprint")]).toEqual(["old = er", "aa:bb"]);
  expect([read("CHAYA", "region"), read("NONE", "user")]).toEqual([undefined, undefined]);
});
