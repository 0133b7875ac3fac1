import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyBytes, nonceBytes, openValue, sealValue } from "./sealed-value.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const place = fc.record({ id: fc.string(), applicationId: fc.string(), functionId: fc.string(), name: fc.string() });
const value = fc.string({ unit: "grapheme" });

describe("a sealed value", () => {
  it("opens as what it was", () => {
    fc.assert(
      fc.property(bytes(keyBytes), bytes(nonceBytes), place, value, (key, nonce, at, text) => {
        const sealed = sealValue(key, { ...at, value: text }, nonce);
        expect(openValue(key, { ...at, sealed })).toBe(text);
      }),
    );
  });

  it("does not open after any byte was changed, or any were cut off", () => {
    fc.assert(
      fc.property(
        bytes(keyBytes),
        place,
        value,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (key, at, text, spot, by) => {
          const sealed = Uint8Array.from(sealValue(key, { ...at, value: text }, new Uint8Array(nonceBytes)));
          const index = spot % sealed.length;
          const changed = sealed.with(index, (sealed[index] ?? 0) ^ by);
          expect(openValue(key, { ...at, sealed: changed })).toBeUndefined();
          expect(openValue(key, { ...at, sealed: sealed.subarray(0, index) })).toBeUndefined();
        },
      ),
    );
  });

  it("opens in its own place and under its own key only", () => {
    fc.assert(
      fc.property(bytes(keyBytes), bytes(keyBytes), place, place, (key, otherKey, at, elsewhere) => {
        fc.pre(JSON.stringify(at) !== JSON.stringify(elsewhere) && !Buffer.from(key).equals(Buffer.from(otherKey)));
        const sealed = sealValue(key, { ...at, value: "hunter2" }, new Uint8Array(nonceBytes));
        expect(openValue(key, { ...elsewhere, sealed })).toBeUndefined();
        expect(openValue(otherKey, { ...at, sealed })).toBeUndefined();
      }),
    );
    const key = new Uint8Array(keyBytes);
    const at = { id: "1", applicationId: "a", functionId: "", name: "N" };
    const sealed = sealValue(key, { ...at, value: "hunter2" }, new Uint8Array(nonceBytes));
    for (const member of ["id", "applicationId", "functionId", "name"])
      expect(openValue(key, { ...at, [member]: "other", sealed })).toBeUndefined();
  });
});
