import { limits, type PolicyVariable } from "@chaya/contract";
import { type OcidType, parseOcid } from "@chaya/contract/oci";
import type { ConditionValue } from "./policy.ts";
import {
  type Cursor,
  isKeyword,
  isMark,
  isOperator,
  peek,
  refuse,
  shown,
  type Token,
  take,
  takeMark,
} from "./tokens.ts";

/** What a condition becomes: the grammar is the same in policies and in matching rules, their variables are not. */
export interface ConditionParser<Parsed> {
  readonly group: (kind: "all" | "any", parts: readonly Parsed[]) => Parsed;
  /** Reads one comparison; `variable` has been taken. */
  readonly compare: (cursor: Cursor, variable: Token) => Parsed;
}

/** `all {…, …}`, `any {…, …}` in one another, or one comparison. */
export function parseCondition<Parsed>(cursor: Cursor, parser: ConditionParser<Parsed>, depth = 1): Parsed {
  const token = take(cursor);
  const kind = isKeyword(token, "all") ? "all" : isKeyword(token, "any") ? "any" : undefined;
  if (kind === undefined) {
    if (token.kind === "word") return parser.compare(cursor, token);
    return refuse(cursor, token, { reason: `a condition is expected, not ${shown(token)}`, hint: conditionHint });
  }
  if (depth > limits.conditionDepthMax)
    refuse(cursor, token, {
      reason: `conditions stand in one another more than ${limits.conditionDepthMax} levels deep`,
      hint: "Write several statements: any of them that applies grants the right.",
    });
  const parts: Parsed[] = [];
  expectMark(cursor, "{", `${kind} is followed by its conditions: ${kind} {…, …}`);
  do parts.push(parseCondition(cursor, parser, depth + 1));
  while (takeMark(cursor, ","));
  expectMark(cursor, "}", "Divide conditions by a comma; close the list with }.");
  return parser.group(kind, parts);
}

const conditionHint = "Write variable = 'text', variable != 'text', variable = /text*/, all {…, …} or any {…, …}.";

function expectMark(cursor: Cursor, mark: string, hint: string): void {
  const token = take(cursor);
  if (!isMark(token, mark)) refuse(cursor, token, { reason: `${mark} is expected, not ${shown(token)}`, hint });
}

/** After the last condition nothing follows. */
export function expectEnd(cursor: Cursor): void {
  const token = peek(cursor);
  if (token.kind === "end") return;
  const joins = isKeyword(token, "and") || isKeyword(token, "or");
  refuse(cursor, token, {
    reason: `${shown(token)} stands after the end`,
    hint: joins ? "Join conditions with all {…, …} (each) or any {…, …} (one of them)." : conditionHint,
  });
}

export function takeOperator(cursor: Cursor): "=" | "!=" {
  const token = take(cursor);
  if (isOperator(token)) return token.text === "=" ? "=" : "!=";
  const word = token.text.toLowerCase();
  const isOracles = token.kind === "word" && ["in", "not", "before", "after", "between"].includes(word);
  return refuse(cursor, token, {
    reason: isOracles ? `the operator '${word}' is not in this language` : `= or != is expected, not ${shown(token)}`,
    hint: isOracles && word === "in" ? "Write any {variable = 'one', variable = 'other'}." : conditionHint,
  });
}

/** `'…'` or `/…/`, checked against what the variable can hold. */
export function takeValue(cursor: Cursor, variable: string, { ids, values }: Partial<PolicyVariable>): ConditionValue {
  const token = take(cursor);
  const { kind, text } = token;
  if (kind === "pattern") return patternOf(cursor, token);
  if (kind !== "quoted")
    refuse(cursor, token, {
      reason: `a value is expected, not ${shown(token)}`,
      hint: "Write values in quotes: 'text'.",
    });
  if (ids !== undefined && recordIdOf(text, ids) === undefined)
    refuse(cursor, token, {
      reason: `${shown(token)} is not an id of this platform that ${variable} can hold`,
      hint: `Write the OCID of ${ids.map((type) => `a ${type}`).join(" or ")} as this platform gave it out.`,
    });
  if (values !== undefined && !values.includes(text.toLowerCase()))
    refuse(cursor, token, {
      reason: `${variable} is never ${shown(token)} on this platform`,
      hint: `It is one of: ${values.join(", ")}. Leave the comparison out.`,
    });
  return { kind: "text", text };
}

function patternOf(cursor: Cursor, token: Token): ConditionValue {
  const { text: pattern } = token;
  if (pattern === "" || pattern.slice(1, -1).includes("*"))
    refuse(cursor, token, {
      reason: pattern === "" ? "the pattern is empty" : "a * stands inside of the pattern",
      hint: "Patterns have * at the beginning, at the end, or both: /text*/, /*text/, /*text*/.",
    });
  return { kind: "pattern", pattern };
}

const recordId = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** The record id behind an OCID of one of these types, or behind the id itself. */
export function recordIdOf(text: string, types: readonly OcidType[]): string | undefined {
  if (recordId.test(text)) return text;
  const ocid = parseOcid(text);
  return ocid !== undefined && types.includes(ocid.type) ? ocid.id : undefined;
}
