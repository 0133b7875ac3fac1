import { describe, expect, it } from "vitest";
import { fields, table } from "./table.ts";
import { textWidth, visibleDocument, visibleText } from "./visible-text.ts";

describe("text of users and functions", () => {
  it.each([
    ["an escape sequence", "\u001b[2J\u001b]0;title\u0007", "\\x1b[2J\\x1b]0;title\\x07"],
    ["a C1 control", "a\u009bb", "a\\x9bb"],
    ["line breaks and NUL", "a\r\n\u0000b", "a\\x0d\\x0a\\x00b"],
    ["marks that reorder text", "user\u202egnp.exe", "user\\u{202e}gnp.exe"],
    ["an invisible space", "a\u200bb", "a\\u{200b}b"],
    ["half a surrogate pair", "a\ud800b", "a\\u{d800}b"],
    ["letters of any language and emoji", "Grüße 写真 📷", "Grüße 写真 📷"],
  ])("shows %s without letting it act", (_name, text, shown) => expect(visibleText(text)).toBe(shown));

  it("keeps the lines and tabs of a document", () => {
    expect(visibleDocument("a\tb\r\nc\u001b[1m\n")).toBe("a\tb\r\nc\\x1b[1m\n");
  });

  it("counts the columns that a terminal gives it", () => {
    expect([textWidth("abc"), textWidth("写真"), textWidth("e\u0301"), textWidth("📷")]).toEqual([3, 4, 1, 2]);
  });
});

describe("a table", () => {
  it("aligns columns, also with wide characters and absent values", () => {
    expect(
      table(
        ["NAME", "N"],
        [
          ["写真", 1],
          ["a", undefined],
          ["longer", false],
        ],
      ),
    ).toBe(["NAME    N", "写真    1", "a       -", "longer  false", ""].join("\n"));
  });

  it("keeps every row on one line", () => {
    expect(table(["A", "B"], [["x\ny", "\u001b[31m"]]).split("\n").length).toBe(3);
  });

  it("shows a record without what is absent", () => {
    expect(fields({ name: "n", absent: undefined, memory: 128 })).toBe("name    n\nmemory  128\n");
  });
});
