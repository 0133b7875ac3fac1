import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFunctionName, isNameTooLong, isPlainName } from "./names.ts";

const text = fc.string({ unit: "binary", minLength: 1 });

describe("names", () => {
  it("lets a plain name hold letters and numbers of any script, _ and -, and nothing else", () => {
    for (const name of ["a", "été", "東京", "٣", "Ⅷ", "x_y-z", "9"]) expect(isPlainName(name), name).toBe(true);
    for (const name of ["", "a.b", "a b", "a/b", "..", "a\n", "emoji😀", "a\u0301", "\0"])
      expect(isPlainName(name), JSON.stringify(name)).toBe(false);
  });

  it("judges a plain name by each of its characters alone", () => {
    fc.assert(fc.property(text, (name) => isPlainName(name) === [...name].every((one) => isPlainName(one))));
  });

  it("lets a function's name be exactly what a URL's path holds without an escape", () => {
    const isUnescaped = (name: string) =>
      name === encodeURIComponent(name).replace(/%(24|26|2B|3A|3D|40)/g, (escaped) => decodeURIComponent(escaped)) &&
      // encodeURIComponent leaves these alone, Go's PathEscape does not.
      !/[!'()*]/.test(name);
    const unit = fc.oneof(
      fc.constantFrom(..."!'()*$&+:=@-_.~/ %,;é"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    );
    fc.assert(
      fc.property(fc.string({ unit, minLength: 1 }), (name) => isFunctionName(name) === isUnescaped(name)),
      { numRuns: 2000 },
    );
  });

  it("counts the bytes of UTF-8", () => {
    fc.assert(
      fc.property(text, fc.nat(300), (unit, count) => {
        const name = unit.repeat(count);
        return isNameTooLong(name) === Buffer.byteLength(name) > 255;
      }),
    );
  });
});
