import { isProblem } from "@chaya/contract";
import { ocidOf } from "@chaya/contract/oci";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ResourceFacts } from "../model.ts";
import { parseMatchingRule } from "./matching-rule.ts";
import { idFor, noTags } from "./testing/memory-directory.ts";

const id = ocidOf("fnfunc", idFor("f"), "us-ashburn-1");
const otherId = ocidOf("fnfunc", idFor("g"), "us-ashburn-1");
const dev = ocidOf("compartment", idFor("dev"), "");
const prod = ocidOf("compartment", idFor("prod"), "");
const tenancy = ocidOf("tenancy", idFor("dev"), "");

const fn: ResourceFacts = {
  type: "fnfunc",
  id: idFor("f"),
  compartmentId: idFor("dev"),
  tags: { freeform: { Free: "x" }, defined: { Department: { operations: "45", Count: 7, Empty: "" } } },
};

describe("a matching rule", () => {
  it.each<[string, boolean]>([
    ["resource.type = 'fnfunc'", true],
    ["Resource.Type='FNFUNC'", true],
    ["resource.type != 'fnfunc'", false],
    [`resource.id = '${id}'`, true],
    [`resource.id = '${ocidOf("fnfunc", idFor("f"), "eu-frankfurt-1")}'`, true],
    [`resource.id = '${idFor("f")}'`, true],
    [`resource.id = '${otherId}'`, false],
    [`resource.id != '${otherId}'`, true],
    [`resource.compartment.id = '${dev}'`, true],
    [`resource.compartment.id = '${tenancy}'`, true],
    [`resource.compartment.id = '${prod}'`, false],
    [`ALL {resource.type = 'fnfunc', resource.compartment.id = '${dev}'}`, true],
    [`All{resource.type='fnfunc',resource.compartment.id='${prod}'}`, false],
    [`Any {resource.id = '${otherId}', resource.compartment.id = '${dev}'}`, true],
    [`any {resource.id = '${otherId}', all {resource.type = 'fnfunc', resource.id != '${id}'}}`, false],
    ["ALL {resource.type = 'fnfunc', tag.department.operations.value = '45'}", true],
    ["tag.DEPARTMENT.Operations.VALUE = '45'", true],
    ["tag.department.operations.value != '45'", false],
    ["tag.department.operations.value != '46'", true],
    ["tag.department.count.value = '7'", true],
    ["tag.department.operations.value", true],
    ["all {tag.department.empty.value, resource.type = 'fnfunc'}", true],
    ["tag.department.other.value", false],
    ["tag.department.other.value != '45'", false],
    ["tag.other.operations.value != '45'", false],
    ["tag.constructor.name.value", false],
    ["tag.__proto__.toString.value", false],
    ["tag.free.free.value", false],
  ])("%s: %s", (rule, expected) => {
    expect(parseMatchingRule(rule)(fn)).toBe(expected);
  });

  it.each([
    ["", 1, "a condition is expected, not the end"],
    ["instance.compartment.id = 'x'", 1, "there is no variable 'instance.compartment.id'"],
    ["resource.compartment = 'x'", 1, "there is no variable 'resource.compartment'"],
    ["tag.a.b = 'x'", 1, "there is no variable 'tag.a.b'"],
    ["tag.a.b.c.value = 'x'", 1, "there is no variable 'tag.a.b.c.value'"],
    ["tag..b.value = 'x'", 1, "there is no variable 'tag..b.value'"],
    ["resource.type", 14, "= or != is expected, not the end"],
    ["resource.type in ('fnfunc')", 15, "the operator 'in' is not in this language"],
    ["resource.type = 'fnfunction'", 17, "resource.type is never 'fnfunction'"],
    ["resource.type = fnfunc", 17, "a value is expected, not 'fnfunc'"],
    ["resource.type = /fn*/", 17, "patterns are not in matching rules"],
    [`resource.id = '${dev}'`, 15, "is not an id of this platform that resource.id can hold"],
    [`resource.compartment.id = '${id}'`, 27, "is not an id of this platform"],
    ["resource.type = 'fnfunc', resource.type = 'fnfunc'", 25, "',' stands after the end"],
    ["resource.type = 'fnfunc' or resource.type = 'fnfunc'", 26, "'or' stands after the end"],
    ["all {resource.type = 'fnfunc'}}", 31, "'}' stands after the end"],
  ])("is refused by name and column outside of the grammar: %s", (rule, column, says) => {
    let said = "accepted";
    try {
      parseMatchingRule(rule);
    } catch (error) {
      if (!isProblem(error, "matching-rule-invalid")) throw error;
      said = error.message;
    }
    expect(said).toContain(`The matching rule, column ${column}: `);
    expect(said).toContain(says);
  });

  it("says the same as the truth of its parts, however they are joined", () => {
    interface Rule {
      readonly text: string;
      readonly holds: boolean;
    }
    const leaf = fc.constantFrom<Rule>(
      { text: "resource.type='fnfunc'", holds: true },
      { text: `resource.id != '${id}'`, holds: false },
      { text: "tag.department.operations.value", holds: true },
      { text: "tag.nobody.has.value != 'it'", holds: false },
    );
    const { rule } = fc.letrec<{ rule: Rule }>((tie) => ({
      rule: fc.oneof(
        { maxDepth: 8, depthSize: "medium" },
        leaf,
        fc
          .tuple(fc.constantFrom("all", "any"), fc.array(tie("rule"), { minLength: 1, maxLength: 3 }))
          .map(([kind, parts]) => ({
            text: `${kind} {${parts.map(({ text }) => text).join(" , ")}}`,
            holds: kind === "all" ? parts.every(({ holds }) => holds) : parts.some(({ holds }) => holds),
          })),
      ),
    }));
    fc.assert(
      fc.property(rule, ({ text, holds }) => {
        expect(parseMatchingRule(text)(fn)).toBe(holds);
      }),
    );
  });

  it("finds nothing in a resource without tags", () => {
    expect(parseMatchingRule("tag.department.operations.value")({ ...fn, tags: noTags })).toBe(false);
  });
});
