import { policyVariables, policyVerbs, resourceFamilies, resourceTypes } from "@chaya/contract";
import type { OcidType } from "@chaya/contract/oci";
import { ocidOf } from "@chaya/contract/oci";
import fc from "fast-check";
import type { Condition, ConditionValue, Location, Named, Statement, Subject } from "../policy.ts";

/** What statements are made of; a test narrows it to what its directory holds. */
export interface Words {
  readonly groups: fc.Arbitrary<string>;
  readonly dynamicGroups: fc.Arbitrary<string>;
  readonly compartments: fc.Arbitrary<string>;
  readonly ids: fc.Arbitrary<string>;
  readonly texts: fc.Arbitrary<string>;
}

const anyName = fc.oneof(
  fc.stringMatching(/^[A-Za-z][\w.@+-]{0,12}$/),
  fc.constantFrom("to", "in", "where", "id", "Админы", "my team", "a,b", "a/b", "}"),
  fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("'")),
);

export const anyWords: Words = {
  groups: anyName,
  dynamicGroups: anyName,
  compartments: anyName,
  ids: fc.stringMatching(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/),
  texts: fc.string({ unit: "grapheme" }).filter((text) => !text.includes("'")),
};

type Parts = Omit<Statement, "text">;

export function statements(words: Words): fc.Arbitrary<Parts> {
  const families = Object.values(resourceFamilies).map((types) => new Set(types));
  return fc.record({
    subject: subjects(words),
    verb: fc.constantFrom(...policyVerbs),
    resources: fc.oneof(
      fc.constantFrom(...resourceTypes).map((type) => new Set([type])),
      fc.constantFrom(...families),
    ),
    location: locations(words),
    condition: fc.option(conditions(words), { nil: undefined, freq: 2 }),
  });
}

function subjects({ groups, dynamicGroups, ids }: Words): fc.Arbitrary<Subject> {
  const named = (names: fc.Arbitrary<string>): fc.Arbitrary<Named[]> =>
    fc.array(
      fc.oneof(
        names.map((name) => ({ by: "name", name }) as const),
        ids.map((id) => ({ by: "id", id }) as const),
      ),
      { minLength: 1, maxLength: 3 },
    );
  return fc.oneof(
    fc.constant({ kind: "any-user" } as const),
    named(groups).map((names) => ({ kind: "groups", names }) as const),
    named(dynamicGroups).map((names) => ({ kind: "dynamic-groups", names }) as const),
  );
}

function locations({ compartments, ids }: Words): fc.Arbitrary<Location> {
  return fc.oneof(
    fc.constant({ kind: "tenancy" } as const),
    ids.map((id) => ({ kind: "compartment", id }) as const),
    fc
      .array(compartments, { minLength: 1, maxLength: 3 })
      .map((names) => ({ kind: "compartment-path", names }) as const),
  );
}

function conditions(words: Words): fc.Arbitrary<Condition> {
  const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
    condition: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      comparisons(words),
      fc.record({
        kind: fc.constantFrom("all", "any"),
        conditions: fc.array(tie("condition"), { minLength: 1, maxLength: 3 }),
      }),
    ),
  }));
  return condition;
}

function comparisons({ ids, texts }: Words): fc.Arbitrary<Condition> {
  const patterns: fc.Arbitrary<ConditionValue> = fc
    .tuple(fc.constantFrom("", "*"), fc.stringMatching(/^[\w.-]{1,4}$/), fc.constantFrom("", "*"))
    .map(([start, text, end]) => ({ kind: "pattern", pattern: `${start}${text}${end}` }));
  return fc.constantFrom(...Object.entries(policyVariables)).chain(([variable, facts]) => {
    const types: readonly OcidType[] = "ids" in facts ? facts.ids : [];
    const values: readonly string[] = "values" in facts ? facts.values : [];
    const text =
      types.length > 0 ? fc.oneof(ocidsOf(types, ids), ids) : values.length > 0 ? fc.constantFrom(...values) : texts;
    return fc.record({
      kind: fc.constant("compare" as const),
      variable: fc.constant(variable),
      operator: fc.constantFrom("=", "!="),
      value: fc.oneof(
        text.map((text): ConditionValue => ({ kind: "text", text })),
        patterns,
      ),
    });
  });
}

function ocidsOf(types: readonly OcidType[], ids: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(ids, fc.constantFrom(...types)).map(([id, type]) => ocidOf(type, id, "eu-frankfurt-1"));
}

/** The statement as text, in the plainest spelling. */
export function print({ subject, verb, resources, location, condition }: Parts): string {
  const where = condition === undefined ? "" : ` where ${printCondition(condition)}`;
  return `Allow ${printSubject(subject)} to ${verb} ${printResources(resources)} in ${printLocation(location)}${where}`;
}

function printSubject(subject: Subject): string {
  if (subject.kind === "any-user") return "any-user";
  const type = subject.kind === "groups" ? "group" : "dynamicgroup";
  const names = subject.names.map((named) =>
    named.by === "id" ? `id ${ocidOf(type, named.id, "")}` : `'${named.name}'`,
  );
  return `${subject.kind === "groups" ? "group" : "dynamic-group"} ${names.join(", ")}`;
}

function printResources(resources: ReadonlySet<string>): string {
  const family = Object.entries(resourceFamilies).find(
    ([, types]) => resources.symmetricDifference(new Set(types)).size === 0,
  );
  return family?.[0] ?? [...resources].join();
}

function printLocation(location: Location): string {
  if (location.kind === "tenancy") return "tenancy";
  if (location.kind === "compartment") return `compartment id ${ocidOf("compartment", location.id, "")}`;
  return `compartment ${location.names.map((name) => `'${name}'`).join(":")}`;
}

function printCondition(condition: Condition): string {
  if (condition.kind !== "compare") return `${condition.kind} {${condition.conditions.map(printCondition).join(", ")}}`;
  const { value } = condition;
  return `${condition.variable} ${condition.operator} ${value.kind === "text" ? `'${value.text}'` : `/${value.pattern}/`}`;
}
