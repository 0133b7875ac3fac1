import { limits, type PolicyVariable, Problem } from "@chaya/contract";
import type { ResourceFacts } from "../model.ts";
import { equalsValue, folded } from "./compare-value.ts";
import { type ConditionParser, expectEnd, parseCondition, takeOperator, takeValue } from "./parse-condition.ts";
import { type Cursor, isOperator, peek, readTokens, refuse, shown, type Token } from "./tokens.ts";

type Matches = (resource: ResourceFacts) => boolean;

/**
 * Compiles the matching rule of a dynamic group. A tag that a resource does not have fulfils neither `=` nor `!=`.
 * Throws `matching-rule-invalid` with the column of what is outside the grammar.
 */
export function parseMatchingRule(text: string): Matches {
  const cursor = readTokens({
    name: "The matching rule",
    text,
    charactersMax: limits.matchingRuleCharactersMax,
    problem: (refusal) => new Problem("matching-rule-invalid", refusal),
  });
  const matches = parseCondition(cursor, rules);
  expectEnd(cursor);
  return matches;
}

const rules: ConditionParser<Matches> = {
  group: (kind, parts) =>
    kind === "all"
      ? (resource) => parts.every((matches) => matches(resource))
      : (resource) => parts.some((matches) => matches(resource)),
  compare: (cursor, token) => {
    const [first, namespace, key, last, ...more] = token.text.split(".");
    const isTag = first?.toLowerCase() === "tag" && last?.toLowerCase() === "value" && more.length === 0;
    const read = isTag && namespace && key ? tagReader(namespace, key) : undefined;
    // A tag alone asks whether it is there, with whatever value.
    if (read !== undefined && !isOperator(peek(cursor))) return (resource) => read(resource) !== undefined;
    return comparison(cursor, token, read === undefined ? factOf(cursor, token) : { read });
  },
};

interface Fact extends Partial<PolicyVariable> {
  readonly read: (resource: ResourceFacts) => string | undefined;
}

const facts: Readonly<Record<string, Fact>> = {
  "resource.type": { read: ({ type }) => type, values: ["fnfunc"] },
  "resource.id": { read: ({ id }) => id, ids: ["fnfunc"] },
  "resource.compartment.id": { read: ({ compartmentId }) => compartmentId, ids: ["compartment", "tenancy"] },
};

function factOf(cursor: Cursor, token: Token): Fact {
  const name = token.text.toLowerCase();
  const fact = Object.hasOwn(facts, name) ? facts[name] : undefined;
  if (fact !== undefined) return fact;
  const hint = `The variables are: ${Object.keys(facts).join(", ")}, tag.NAMESPACE.KEY.value.`;
  return refuse(cursor, token, { reason: `there is no variable ${shown(token)} in matching rules`, hint });
}

function comparison(cursor: Cursor, { text }: Token, fact: Fact): Matches {
  const wanted = takeOperator(cursor) === "=";
  const token = peek(cursor);
  if (token.kind === "pattern")
    refuse(cursor, token, { reason: "patterns are not in matching rules", hint: "Write any {…} with each value." });
  const equals = equalsValue(takeValue(cursor, text, fact), fact.ids);
  return (resource) => {
    const actual = fact.read(resource);
    return actual !== undefined && equals(actual) === wanted;
  };
}

/** Namespaces and keys of tags are the same in any case, as on OCI. */
function tagReader(namespace: string, key: string): Fact["read"] {
  return ({ tags }) => {
    const value = memberOf(memberOf(tags.defined, namespace) ?? {}, key);
    return value === undefined || value === null || typeof value === "object" ? undefined : String(value);
  };
}

function memberOf<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  if (Object.hasOwn(record, name)) return record[name];
  const wanted = folded(name);
  const found = Object.keys(record).find((known) => folded(known) === wanted);
  return found === undefined ? undefined : record[found];
}
