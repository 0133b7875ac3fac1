import type { AnnotationValue } from "@chaya/contract/fn";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergeAnnotations, newAnnotations } from "./annotations.ts";
import { mergeConfig, newConfig } from "./record-config.ts";
import { readSettings } from "./settings.ts";

const configKey = fc.constantFrom("A", "B", "C", "constructor", "toString", "__proto__");
const config = fc.dictionary(configKey, fc.string({ unit: fc.constantFrom("x", "é", " ") }));
const annotationKey = fc.constantFrom("a", "b", "~", "constructor");
const annotation = fc.constantFrom<AnnotationValue[]>("v", 0, false, 1.5, [], { z: 1, a: [null] });
const annotations = fc.dictionary(annotationKey, annotation);
const change = fc.dictionary(annotationKey, fc.oneof(annotation, fc.constantFrom("", null)));

describe("merging config", () => {
  it("sets what the change gives, deletes what it gives empty, keeps the rest", () => {
    fc.assert(
      fc.property(config, config, (before, given) => {
        const after = mergeConfig(newConfig(before), given);
        for (const key of new Set([...Object.keys(before), ...Object.keys(given)])) {
          const value = Object.hasOwn(given, key) ? given[key] || undefined : before[key];
          expect(Object.hasOwn(after, key) ? after[key] : undefined).toBe(value);
        }
      }),
    );
  });

  it("changes nothing the second time", () => {
    fc.assert(
      fc.property(config, config, (before, given) => {
        const once = mergeConfig(before, given);
        expect(JSON.stringify(mergeConfig(once, given))).toBe(JSON.stringify(once));
      }),
    );
  });

  it("puts keys in the order of their bytes", () => {
    expect(Object.keys(newConfig({ "\u{1f600}": "1", "\uffff": "2", é: "3", a: "4" }))).toEqual([
      "a",
      "é",
      "\uffff",
      "\u{1f600}",
    ]);
  });

  it("refuses what cannot be an environment variable, and more than fits", () => {
    for (const bad of [{ "": "x" }, { "A=B": "x" }, { "A\0": "x" }, { A: "x\0" }, { A: "x".repeat(300_000) }])
      expect(() => newConfig(bad)).toThrow(expect.objectContaining({ code: "fn-record-invalid" }));
    const many = Object.fromEntries(Array.from({ length: 501 }, (_, index) => [`K${index}`, "v"]));
    expect(() => newConfig(many)).toThrow("at most 500 keys");
  });
});

describe("merging annotations", () => {
  it("sets what the change gives, deletes what it gives empty or null, keeps the rest, sorts the keys", () => {
    fc.assert(
      fc.property(annotations, change, (before, given) => {
        const after = mergeAnnotations(newAnnotations(before), given);
        for (const key of new Set([...Object.keys(before), ...Object.keys(given)])) {
          const isDeleted = given[key] === "" || given[key] === null;
          const value = isDeleted ? undefined : Object.hasOwn(given, key) ? given[key] : before[key];
          expect(JSON.stringify(Object.hasOwn(after, key) ? after[key] : undefined)).toBe(JSON.stringify(value));
        }
        expect(Object.keys(after)).toEqual(Object.keys(after).toSorted());
      }),
    );
  });

  it("never stores an endpoint", () => {
    const endpoints = { "fnproject.io/fn/invokeEndpoint": "x", "fnproject.io/trigger/httpEndpoint": "y" };
    expect(newAnnotations({ ...endpoints, a: 1 })).toEqual({ a: 1 });
    expect(mergeAnnotations({ a: 1 }, endpoints)).toEqual({ a: 1 });
  });

  it("allows 100 annotations, and what replaces one of them", () => {
    const full = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, 1]));
    expect(Object.keys(mergeAnnotations(full, { k0: 2 }))).toHaveLength(100);
    expect(Object.keys(mergeAnnotations(full, { k0: "", other: 2 }))).toHaveLength(100);
    expect(() => mergeAnnotations(full, { other: 2 })).toThrow("maximum permitted number");
  });
});

describe("settings", () => {
  it("reads the annotations chaya/… and fills in defaults", () => {
    const settings = readSettings({ "chaya/retries": 4, "chaya/invoke": "gateway", note: "chaya/retries" });
    expect(settings).toMatchObject({ retries: 4, invoke: "gateway", concurrency: 1, capture: "failures" });
    expect(readSettings({})["detached-timeout"]).toBeUndefined();
  });

  it("refuses the name of every object's own members", () => {
    for (const name of ["toString", "constructor", "__proto__"])
      expect(() => readSettings(Object.fromEntries([[`chaya/${name}`, 1]]))).toThrow(
        `Unknown annotation chaya/${name}`,
      );
  });
});
