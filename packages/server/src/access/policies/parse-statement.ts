import {
  limits,
  type PolicyVariable,
  type PolicyVerb,
  Problem,
  policyVariables,
  policyVerbs,
  type ResourceType,
  resourceFamilies,
  resourceTypes,
} from "@chaya/contract";
import {
  type ConditionParser,
  expectEnd,
  parseCondition,
  recordIdOf,
  takeOperator,
  takeValue,
} from "./parse-condition.ts";
import type { Condition, Location, Named, Statement, Subject } from "./policy.ts";
import { refusedStatements, refusedSubjects, refusedVariables } from "./refused-words.ts";
import {
  type Cursor,
  isKeyword,
  isMark,
  peek,
  type Refusal,
  readTokens,
  refuse,
  shown,
  type Token,
  take,
  takeKeyword,
  takeMark,
} from "./tokens.ts";

/** Parses the statements of a policy. Throws `policy-invalid` with the place of the first that is outside the grammar. */
export function parsePolicy(texts: readonly string[]): readonly Statement[] {
  const { policyStatementsMax } = limits;
  if (texts.length === 0 || texts.length > policyStatementsMax)
    throw new Problem("policy-invalid", {
      where: "The policy",
      reason: `has ${texts.length} statements; it has from 1 to ${policyStatementsMax}`,
      hint: texts.length === 0 ? "Write a statement: Allow group NAME to …" : "Make several policies of it.",
    });
  return texts.map((text, index) => parseNamedStatement(text, `Statement ${index + 1}`));
}

/** Parses one statement. Throws `policy-invalid` with the column of what is outside the grammar. */
export function parseStatement(text: string): Statement {
  return parseNamedStatement(text, "The statement");
}

function parseNamedStatement(text: string, name: string): Statement {
  const cursor = readTokens({
    name,
    text,
    charactersMax: limits.policyStatementCharactersMax,
    problem: (refusal) => new Problem("policy-invalid", refusal),
  });
  const first = take(cursor);
  if (!isKeyword(first, "allow"))
    refuse(cursor, first, wordRefusal(refusedStatements, first) ?? expected("Allow", first, shape));
  const subject = parseSubject(cursor);
  expectKeyword(cursor, "to", "A name with spaces is quoted: group 'My Team' to …");
  const verb = parseVerb(cursor);
  const resources = parseResources(cursor);
  expectKeyword(cursor, "in", "One resource type or family a statement; then: in tenancy, or in compartment NAME.");
  const location = parseLocation(cursor);
  const condition = takeKeyword(cursor, "where") ? parseCondition(cursor, conditions) : undefined;
  if (condition === undefined && peek(cursor).kind !== "end")
    refuse(
      cursor,
      peek(cursor),
      expected("where, or the end,", peek(cursor), "A name with spaces or signs is quoted."),
    );
  expectEnd(cursor);
  return { text, subject, verb, resources, location, condition };
}

const shape = "Write: Allow SUBJECT to VERB RESOURCE-TYPE in LOCATION [where CONDITION].";

function expected(what: string, found: Token, hint: string): Refusal {
  return { reason: `${what} is expected, not ${shown(found)}`, hint };
}

function expectKeyword(cursor: Cursor, keyword: string, hint: string): void {
  const token = take(cursor);
  if (!isKeyword(token, keyword)) refuse(cursor, token, expected(keyword, token, hint));
}

/** The own words for what OCI has under this word, if there are any. */
function wordRefusal(table: Readonly<Record<string, Refusal>>, { kind, text }: Token): Refusal | undefined {
  const word = text.toLowerCase();
  return kind === "word" && Object.hasOwn(table, word) ? table[word] : undefined;
}

function parseSubject(cursor: Cursor): Subject {
  const token = take(cursor);
  if (isKeyword(token, "any-user") || isKeyword(token, "any-group")) return { kind: "any-user" };
  if (isKeyword(token, "group")) return { kind: "groups", names: parseNames(cursor, "group") };
  if (isKeyword(token, "dynamic-group")) return { kind: "dynamic-groups", names: parseNames(cursor, "dynamicgroup") };
  const hint = "Write any-user, any-group, group NAME, group id OCID, dynamic-group NAME or dynamic-group id OCID.";
  return refuse(cursor, token, wordRefusal(refusedSubjects, token) ?? expected("A subject", token, hint));
}

function parseNames(cursor: Cursor, type: "group" | "dynamicgroup"): readonly Named[] {
  const names: Named[] = [];
  do {
    const isId = takeKeyword(cursor, "id") || (names.at(-1)?.by === "id" && /^ocid1\./i.test(peek(cursor).text));
    names.push(isId ? { by: "id", id: takeId(cursor, [type]) } : { by: "name", name: takeNameInDomain(cursor) });
  } while (takeMark(cursor, ","));
  return names;
}

function takeId(cursor: Cursor, types: Parameters<typeof recordIdOf>[1]): string {
  const token = take(cursor);
  const id = token.kind === "word" || token.kind === "quoted" ? recordIdOf(token.text, types) : undefined;
  if (id !== undefined) return id;
  const hint = "Write the OCID as this platform gave it out.";
  return refuse(cursor, token, expected(`The OCID of a ${types[0]}`, token, hint));
}

/** `NAME`, or `DOMAIN/NAME`: there is one identity domain, as a tenancy of OCI begins with. */
function takeNameInDomain(cursor: Cursor): string {
  const token = peek(cursor);
  const name = takeName(cursor);
  if (!takeMark(cursor, "/")) return name;
  if (name.toLowerCase() !== "default")
    refuse(cursor, token, {
      reason: `there is no identity domain ${shown(token)}`,
      hint: "The only domain is Default: write Default/NAME, or NAME alone.",
    });
  return takeName(cursor);
}

// Where one of these stands for a name, the name was forgotten more likely than not.
const reserved: ReadonlySet<string> = new Set(["to", "in", "where", "id"]);

function takeName(cursor: Cursor): string {
  const token = take(cursor);
  const { kind, text } = token;
  if (kind === "quoted" && text !== "") return text;
  if (kind === "word" && /^ocid1\./i.test(text))
    refuse(cursor, token, expected("A name", token, "Write id before an OCID; a path of compartments has names only."));
  if (kind === "word" && !reserved.has(text.toLowerCase())) return text;
  return refuse(
    cursor,
    token,
    expected("A name", token, "Quote a name that has other signs than letters, digits and _ . - + @."),
  );
}

function parseVerb(cursor: Cursor): PolicyVerb {
  const token = take(cursor);
  const verb = policyVerbs.find((verb) => isKeyword(token, verb));
  if (verb !== undefined) return verb;
  const hint = `Write one of: ${policyVerbs.join(", ")}; narrow it with: where request.operation = 'OPERATION'.`;
  const refusal = isMark(token, "{") && { reason: "permissions in braces are not in this language", hint };
  return refuse(cursor, token, refusal || { reason: `there is no verb ${shown(token)}`, hint });
}

function parseResources(cursor: Cursor): ReadonlySet<ResourceType> {
  const token = take(cursor);
  const word = token.kind === "word" ? token.text.toLowerCase() : "";
  const type = resourceTypes.find((type) => type === word);
  if (type !== undefined) return new Set([type]);
  const family = Object.hasOwn(resourceFamilies, word) ? resourceFamilies[word] : undefined;
  if (family !== undefined) return new Set(family);
  return refuse(cursor, token, {
    reason: `there is no resource type ${shown(token)}`,
    hint: `The types are: ${resourceTypes.join(", ")}; the families: ${Object.keys(resourceFamilies).join(", ")}.`,
  });
}

function parseLocation(cursor: Cursor): Location {
  const token = take(cursor);
  if (isKeyword(token, "tenancy")) return { kind: "tenancy" };
  if (!isKeyword(token, "compartment"))
    refuse(
      cursor,
      token,
      expected("A location", token, "Write: in tenancy, in compartment NAME, or in compartment id OCID."),
    );
  if (takeKeyword(cursor, "id")) return { kind: "compartment", id: takeId(cursor, ["compartment", "tenancy"]) };
  const names: string[] = [];
  do names.push(takeName(cursor));
  while (takeMark(cursor, ":"));
  return { kind: "compartment-path", names };
}

const conditions: ConditionParser<Condition> = {
  group: (kind, conditions) => ({ kind, conditions }),
  compare: (cursor, token) => {
    const variable = token.text.toLowerCase();
    const known = Object.hasOwn(policyVariables, variable)
      ? // Object.hasOwn says that it is one of the names.
        (policyVariables[variable as keyof typeof policyVariables] as PolicyVariable)
      : refuse(cursor, token, wordRefusal(refusedVariables, token) ?? noVariable(token));
    const operator = takeOperator(cursor);
    return { kind: "compare", variable, operator, value: takeValue(cursor, variable, known) };
  },
};

function noVariable(token: Token): Refusal {
  return {
    reason: `there is no variable ${shown(token)}`,
    hint: `The variables are: ${Object.keys(policyVariables).join(", ")}.`,
  };
}
