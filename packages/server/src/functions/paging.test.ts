import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutPage, readCursor, readPage, writeCursor } from "./paging.ts";

const name = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\0"));
const item = fc.record({ name: fc.constantFrom("a", "b", "c", "d"), id: fc.uuid() });

describe("paging", () => {
  it("reads every cursor that it wrote", () => {
    fc.assert(
      fc.property(name, fc.option(fc.uuid(), { nil: undefined }), (text, id) => {
        expect(readCursor(writeCursor({ name: text, id }))).toEqual({ name: text, id });
      }),
    );
  });

  it("refuses every text that is no cursor, and never fails otherwise", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ minLength: 1 }), fc.base64String({ minLength: 1 })), (text) => {
        try {
          expect(writeCursor(readCursor(text))).toBe(text);
        } catch (error) {
          expect(error).toMatchObject({ code: "cursor-invalid" });
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("gives out every item once, whatever the size of the pages and however many share a name", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(item, { selector: ({ id }) => id }),
        fc.integer({ min: 1, max: 5 }),
        (items, itemsMax) => {
          const sorted = items.sort((a, b) => (`${a.name}\0${a.id}` < `${b.name}\0${b.id}` ? -1 : 1));
          const seen: typeof items = [];
          for (let cursor: string | undefined, isLast = false; !isLast; isLast = cursor === undefined) {
            const after = cursor === undefined ? undefined : readCursor(cursor);
            const isBehind = (one: (typeof items)[number]) =>
              after === undefined ||
              one.name > after.name ||
              (one.name === after.name && after.id !== undefined && one.id > after.id);
            const page = cutPage(sorted.filter(isBehind).slice(0, itemsMax + 1), itemsMax);
            seen.push(...page.items);
            cursor = page.cursor;
          }
          expect(seen).toEqual(sorted);
        },
      ),
    );
  });

  it("reads the size of a page as leniently as Fn", () => {
    const sizeOf = (per_page: string | undefined) => readPage({ per_page }).itemsMax;
    expect([undefined, "", "0", "-3", "x", "1.5", "7 "].map(sizeOf)).toEqual([30, 30, 30, 30, 30, 30, 30]);
    expect(["1", "+2", "100", "101", "9".repeat(400)].map(sizeOf)).toEqual([1, 2, 100, 100, 100]);
  });
});
