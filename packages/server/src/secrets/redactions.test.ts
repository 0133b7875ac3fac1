import { limits } from "@chaya/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Redactions } from "./redactions.ts";

const app = "app";

describe("redacted output", () => {
  it("has one mark for each value, in the forms in which programs print it", () => {
    const value = 'päss "word"/+?';
    const show = printer([value]);
    const bytes = Buffer.from(value);
    const forms = [
      value,
      JSON.stringify(value).slice(1, -1),
      encodeURIComponent(value),
      encodeURIComponent(value).replace(/%../g, (encoded) => encoded.toLowerCase()),
      new URLSearchParams({ p: value }).toString().slice(2),
      bytes.toString("base64url"),
      bytes.toString("base64").replace(/=+$/, ""),
    ];
    for (const form of forms) expect(show(`a ${form} b ${form}`)).toBe("a [secret] b [secret]");
    expect(show("nothing of it")).toBe("nothing of it");
  });

  it("hides a value inside of longer base64, as in an Authorization header", () => {
    const value = "hunter2-and-more";
    for (const user of ["u", "us", "use", "user"]) {
      for (const end of ["", "1", "22"]) {
        const credentials = Buffer.from(`${user}:${value}${end}`).toString("base64");
        const shown = printer([value])(`Authorization: Basic ${credentials}`);
        expect(shown).toMatch(/^Authorization: Basic [\w+/]{1,8}\[secret\][\w+/=]{0,8}$/);
        const left = Buffer.from(shown.split("[secret]").at(-1) ?? "", "base64");
        expect(left.toString("latin1")).not.toContain("more");
      }
    }
  });

  it("hides the longer of two values, and values that overlap as a whole", () => {
    expect(printer(["hunter", "hunter2"])("hunter2hunter")).toBe("[secret][secret]");
    expect(printer(["abcdef", "defghi"])("(abcdefghi)")).toBe("([secret])");
  });

  it("hides the lines of a longer value, and a value without the line break of its file", () => {
    const show = printer(["-----BEGIN KEY-----\r\nMIIabcdefgh\r\n}\r\n", "pass\n"]);
    expect(["-----BEGIN KEY-----", "MIIabcdefgh", "}", "pass"].map(show)).toEqual([
      ...["[secret]", "[secret]"],
      ...["}", "[secret]"],
    ]);
  });

  it("leaves values alone that are shorter than four bytes, and other applications", () => {
    const redactions = new Redactions();
    redactions.remember(app, ["abc", "", "hunter2"]);
    const text = Buffer.from("abc hunter2");
    expect(Buffer.from(redactions.redact(app, text)).toString()).toBe("abc [secret]");
    expect(redactions.redact("other", text)).toBe(text);
  });

  it("hides the beginning of a value where a long line was cut", () => {
    const value = `begin-${"x".repeat(100)}`;
    const line = (length: number) => `${"a".repeat(length)} ${value.slice(0, 50)}`;
    const long = line(limits.logLineBytesMax - 51);
    expect(printer([value])(long)).toBe(`${"a".repeat(limits.logLineBytesMax - 51)} [secret]`);
    expect(printer([value])(line(10))).toBe(line(10));
  });

  it("still hides values of before, and of deleted applications for a while", () => {
    const redactions = new Redactions();
    const show = () => Buffer.from(redactions.redact(app, Buffer.from("first second"))).toString();
    redactions.remember(app, ["first"]);
    redactions.remember(app, ["second"]);
    redactions.remember(app, []);
    expect(show()).toBe("[secret] [secret]");
    redactions.forgetGone(() => false);
    redactions.forgetGone(() => true);
    redactions.forgetGone(() => false);
    expect(show()).toBe("[secret] [secret]");
    redactions.forgetGone(() => false);
    expect(show()).toBe("first second");
  });

  it("never shows any value, whatever is around it, and changes nothing else", () => {
    const values = fc.array(fc.string({ minLength: 4, maxLength: 12 }), { minLength: 1, maxLength: 5 });
    const noise = fc.array(fc.oneof(fc.string(), fc.nat({ max: 4 })), { maxLength: 12 });
    fc.assert(
      fc.property(values, noise, (secrets, parts) => {
        const text = parts
          .map((part) => (typeof part === "number" ? (secrets[part % secrets.length] ?? "") : part))
          .join("");
        const shown = printer(secrets)(text);
        for (const piece of shown.split("[secret]"))
          for (const secret of secrets) expect(piece.includes(secret)).toBe(false);
        if (!shown.includes("[secret]")) expect(shown).toBe(text);
      }),
    );
  });

  it("passes bytes that are no text", () => {
    const redactions = new Redactions();
    redactions.remember(app, ["hunter2"]);
    const bytes = Uint8Array.from([0xff, 0, ...Buffer.from("hunter2"), 0xfe]);
    expect(redactions.redact(app, bytes)).toEqual(Buffer.from([0xff, 0, ...Buffer.from("[secret]"), 0xfe]));
  });
});

function printer(values: readonly string[]): (text: string) => string {
  const redactions = new Redactions();
  redactions.remember(app, values);
  return (text) => Buffer.from(redactions.redact(app, Buffer.from(text))).toString();
}
