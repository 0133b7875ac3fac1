import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonRefusal, type JsonRules, readJson } from "./read-json.ts";

const strict: JsonRules = { depthMax: 64, mayTrail: false, mayRepeatKeys: false };
const asFn: JsonRules = { depthMax: 64, mayTrail: true, mayRepeatKeys: true };

function refusal(text: string, rules: JsonRules = strict): string | undefined {
  try {
    readJson(text, rules);
    return undefined;
  } catch (error) {
    if (error instanceof JsonRefusal) return error.message;
    throw error;
  }
}

/** What JSON.parse makes of a text; `refused` when it throws. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refused;
  }
}
const refused = Symbol("refused");

/** Texts near JSON: tokens in any order, so that both parsers meet every way of being wrong. */
const token = fc.constantFrom(
  ..."{}[],:".split(""),
  ...[
    '"a"',
    '"b\\n"',
    '"\\u00e9"',
    '"\\u00"',
    '"\\x"',
    '"',
    "\\",
    "0",
    "-0",
    "01",
    "1.5",
    "1.",
    "-",
    "1e5",
    "1E+2",
    "1e",
  ],
  ...["true", "tru", "false", "null", "nul", " ", "\n", "\t", "\u00a0", "\ufeff", "\0", "é", "NaN", "//", "'a'"],
);
const nearJson = fc.array(token, { maxLength: 12 }).map((tokens) => tokens.join(""));

describe("readJson", () => {
  it("reads what JSON.stringify writes", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const isHarmless = !text.includes("__proto__") && !text.includes("constructor") && text.isWellFormed();
        if (isHarmless && !/\\ud[89ab]/i.test(text)) expect(readJson(text, strict)).toEqual(JSON.parse(text));
      }),
    );
  });

  it("accepts exactly what JSON.parse accepts, and reads it as it does, apart from what is refused on purpose", () => {
    fc.assert(
      fc.property(nearJson, (text) => {
        const expected = parsed(text);
        const reason = refusal(text);
        if (reason === undefined) expect(readJson(text, strict)).toEqual(expected);
        // Refused on purpose: keys that repeat, and numbers that no double holds (tokens in a row may spell 1e501).
        else if (!/twice|too large/.test(reason)) expect(expected).toBe(refused);
      }),
      { numRuns: 5_000 },
    );
  });

  it("ends at the first value for Fn, whatever follows it", () => {
    fc.assert(
      fc.property(fc.record({ a: fc.nat(), b: fc.string() }), fc.string(), (value, trailing) => {
        expect(readJson(`${JSON.stringify(value)}${trailing}`, asFn)).toEqual(value);
      }),
    );
    expect(readJson('{"name":"trail"} xyz', asFn)).toEqual({ name: "trail" });
    expect(refusal('{"name":"trail"} xyz')).toBe('unexpected "x" at position 17');
  });

  it("refuses nesting beyond its limit without running out of stack", () => {
    const nested = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth);
    expect(refusal(nested(65, "[", "]"))).toBeUndefined();
    for (const text of [nested(66, "[", "]"), nested(100_000, "[", "]"), nested(100_000, '{"a":', "}")])
      for (const rules of [strict, asFn]) expect(refusal(text, rules)).toBe("it is nested deeper than 64 levels");
  });

  it("refuses keys that could reach a prototype, however they are written and wherever they stand", () => {
    for (const rules of [strict, asFn]) {
      for (const text of [
        '{"__proto__":{"isAdmin":true}}',
        '{"\\u005f_proto__":1}',
        '{"a":[{"__proto__":1}]}',
        '{"constructor":{"prototype":{}}}',
        '{"config":{"constructor":{"prototype":{"x":1}}}}',
      ])
        expect(refusal(text, rules)).toMatch(/not allowed$/);
      expect(readJson('{"constructor":"me","prototype":1,"toString":2}', rules)).toEqual(
        JSON.parse('{"constructor":"me","prototype":1,"toString":2}'),
      );
    }
    expect(Object.hasOwn(Object.prototype, "isAdmin")).toBe(false);
  });

  it("refuses lone surrogates and numbers beyond a double", () => {
    for (const rules of [strict, asFn]) {
      for (const text of ['"\\ud800"', '"\\udc00"', '{"\\ud800":1}', '"\\ud800\\ud800"'])
        expect(refusal(text, rules)).toBe("a string has a lone surrogate");
      expect(readJson('"\\ud83d\\ude00"', rules)).toBe("😀");
      for (const text of ["1e309", "-1e309", `[${"9".repeat(400)}]`])
        expect(refusal(text, rules)).toBe("a number is too large");
      expect(readJson("1e308", rules)).toBe(1e308);
    }
  });

  it("refuses repeated keys and a byte order mark in our dialect; Fn's takes the last of them", () => {
    expect(refusal('{"a":1,"a":2}')).toBe('the key "a" is there twice');
    expect(refusal('{"a":1,"\\u0061":2}')).toBe('the key "a" is there twice');
    expect(Object.entries(readJson('{"a":1,"A":2,"a":3}', asFn) as object)).toEqual([
      ["A", 2],
      ["a", 3],
    ]);
    for (const rules of [strict, asFn]) expect(refusal("\ufeff{}", rules)).toMatch(/^unexpected/);
  });

  it("says in words what is missing", () => {
    expect(refusal("")).toBe("it is empty");
    expect(refusal(" \n")).toBe("it is empty");
    expect(refusal('{"a":')).toBe("it ends too early");
    expect(refusal('{"a"')).toBe("it ends too early");
    expect(refusal('"abc')).toBe("a string does not end");
    expect(refusal('"a\tb"')).toBe("a string has a control character or an unknown escape");
  });

  it("reads a mebibyte within the time of a request", () => {
    const texts = [
      JSON.stringify({ a: "x".repeat(2 ** 20) }),
      `"${"\\\\".repeat(2 ** 19)}"`,
      `"${'\\"'.repeat(2 ** 19)}"`,
      JSON.stringify(Array.from({ length: 100_000 }, (_, index) => index)),
    ];
    const startedMs = performance.now();
    for (const text of texts) readJson(text, strict);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });
});
