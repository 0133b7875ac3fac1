import { readFileSync } from "node:fs";
import { isProblem, limits } from "@chaya/contract";
import { ocidOf } from "@chaya/contract/oci";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseMatchingRule } from "./matching-rule.ts";
import { parsePolicy, parseStatement } from "./parse-statement.ts";
import { anyWords, print, statements } from "./testing/arbitrary-statements.ts";
import { idFor } from "./testing/memory-directory.ts";

const group = ocidOf("group", idFor("devs"), "");
const dynamicGroup = ocidOf("dynamicgroup", idFor("functions"), "");
const compartment = ocidOf("compartment", idFor("dev"), "");
const tenancy = ocidOf("tenancy", idFor("root"), "");
const app = ocidOf("fnapp", idFor("app"), "us-ashburn-1");

/** What a text is refused with, on one line. */
function refusal(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    if (isProblem(error)) return `${error.code} · ${error.message} · ${error.hint}`;
    throw error;
  }
  return "accepted";
}

describe("a statement", () => {
  it.each([
    "Allow group A-Admins to manage all-resources in compartment Project-A",
    "Allow group A-Admins,B-Admins to manage functions-family in compartment Projects-A-and-B",
    `Allow group id ${group}, id ${group} to use fn-invocation in compartment CompartmentA:CompartmentB:CompartmentC`,
    `Allow group id ${group}, ${group} to use fn-invocation in tenancy`,
    `allow dynamic-group id ${dynamicGroup} to READ fn-app IN compartment id ${compartment}`,
    `Allow group X to inspect users in compartment id ${tenancy}`,
    "Allow any-group to inspect users in tenancy",
    "Allow any-user to use fn-invocation in tenancy where request.principal.type = 'fnfunc'",
    "Allow group 'My Team' to use fn-invocation in compartment 'Dev Stage':'One, two'",
    "Allow group Default/Admins, 'Default'/'Ops Team', 'default'/Ops to use fn-app in tenancy",
    "Allow group GroupAdmins to manage groups in tenancy where target.group.name = /A-Users-*/",
    "Allow group GroupAdmins to manage groups in tenancy where target.group.name != 'Administrators'",
    "Allow group A to manage fn-app in tenancy where any{request.operation='ListApp',request.operation='CreateApp'}",
    `Allow group A to use fn-invocation in tenancy where ALL {target.app.id = '${app}', ANY {request.region='iad', request.user.name!='x'}}`,
    "Allow group A\n  to manage fn-app\r\n\tin tenancy\n  where all {\n target.app.name = /*photos*/\n }  ",
    "Allow group A to manage all-resources in tenancy where target.object.name = /photos/2026/*/",
  ])("is read: %s", (text) => {
    expect(parseStatement(text).text).toBe(text);
  });

  it("says who may do what, where and when", () => {
    const text = `Allow group Devs, id ${group} to use functions-family in compartment A:'B c' where any {target.app.id != '${app}', request.operation = /Get*/}`;
    expect(parseStatement(text)).toEqual({
      text,
      subject: {
        kind: "groups",
        names: [
          { by: "name", name: "Devs" },
          { by: "id", id: idFor("devs") },
        ],
      },
      verb: "use",
      resources: new Set(["fn-app", "fn-function", "fn-invocation"]),
      location: { kind: "compartment-path", names: ["A", "B c"] },
      condition: {
        kind: "any",
        conditions: [
          { kind: "compare", variable: "target.app.id", operator: "!=", value: { kind: "text", text: app } },
          {
            kind: "compare",
            variable: "request.operation",
            operator: "=",
            value: { kind: "pattern", pattern: "Get*" },
          },
        ],
      },
    });
  });

  it("is what the guide shows", () => {
    const guide = readFileSync(new URL("../../../../../docs/guides/access-policies.md", import.meta.url), "utf8");
    const examples = guide.split("\n").filter((line) => line.startsWith("Allow "));
    expect(examples.length).toBeGreaterThan(5);
    for (const text of examples) expect(parseStatement(text).text).toBe(text);
  });

  it("is the same in whatever case its words are written, while names keep theirs", () => {
    const read = (text: string) => ({ ...parseStatement(text), text: "" });
    expect(read("ALLOW GROUP Devs TO USE FN-APP IN COMPARTMENT Dev WHERE ALL {Request.Operation='x'}")).toEqual(
      read("allow group Devs to use fn-app in compartment Dev where all {request.operation='x'}"),
    );
    expect(read("Allow group devs to use fn-app in tenancy")).not.toEqual(
      read("Allow group Devs to use fn-app in tenancy"),
    );
  });

  it("comes back from its text, whatever it is made of", () => {
    fc.assert(
      fc.property(statements(anyWords), (parts) => {
        const text = print(parts);
        expect(parseStatement(text)).toEqual({ ...parts, text });
      }),
      { numRuns: 500 },
    );
  });
});

describe("what is outside of the grammar", () => {
  const where = (condition: string) => `Allow group A to use fn-app in tenancy where ${condition}`;
  it.each([
    ["Define tenancy X as ocid1.tenancy.oc1..a", 1, "'define' joins tenancies"],
    ["Endorse group A to manage fn-app in tenancy X", 1, "'endorse' joins tenancies"],
    ["admit group A of tenancy X to manage fn-app in tenancy", 1, "'admit' joins tenancies"],
    ["Deny group A to manage fn-app in tenancy", 1, "deny statements are not in this language"],
    ["Grant group A to manage fn-app in tenancy", 1, "Allow is expected, not 'Grant'"],
    ["", 1, "Allow is expected, not the end"],
    ["Allow service FaaS to use fn-app in tenancy", 7, "'service' is not in this language"],
    ["Allow user ada to use fn-app in tenancy", 7, "rights are granted to groups"],
    ["Allow resource fn x to use fn-app in tenancy", 7, "'resource' is not in this language"],
    ["Allow groups A to use fn-app in tenancy", 7, "A subject is expected, not 'groups'"],
    ["Allow group to use fn-app in tenancy", 13, "A name is expected, not 'to'"],
    ["Allow group A, to use fn-app in tenancy", 16, "A name is expected, not 'to'"],
    ["Allow group '' to use fn-app in tenancy", 13, "A name is expected"],
    ["Allow group My Team to use fn-app in tenancy", 16, "to is expected, not 'Team'"],
    ["Allow group ocid1.group.oc1..abc to use fn-app in tenancy", 13, "Write id before an OCID"],
    ["Allow group id ocid1.group.oc1..abc to use fn-app in tenancy", 16, "The OCID of a group is expected"],
    [`Allow group id ${dynamicGroup} to use fn-app in tenancy`, 16, "The OCID of a group is expected"],
    ["Allow group Corp/Admins to use fn-app in tenancy", 13, "there is no identity domain 'Corp'"],
    ["Allow group A/B/C to use fn-app in tenancy", 13, "there is no identity domain 'A'"],
    ["Allow group Default/B/C to use fn-app in tenancy", 22, "to is expected, not '/'"],
    ["Allow group A to {FN_APP_READ, FN_APP_LIST} in tenancy", 18, "permissions in braces are not in this language"],
    ["Allow group A to invoke fn-app in tenancy", 18, "there is no verb 'invoke'"],
    [
      "Allow dynamic-group G to manage objects in compartment C where target.bucket.name='b'",
      33,
      "there is no resource type 'objects'",
    ],
    ["Allow group A to use constructor in tenancy", 22, "there is no resource type 'constructor'"],
    ["Allow group A to use fn-app, fn-function in tenancy", 28, "in is expected, not ','"],
    ["Allow group A to use fn-app on tenancy", 29, "in is expected, not 'on'"],
    ["Allow group A to use fn-app in region x", 32, "A location is expected, not 'region'"],
    ["Allow group A to use fn-app in compartment", 43, "A name is expected, not the end"],
    ["Allow group A to use fn-app in compartment A:", 46, "A name is expected, not the end"],
    [`Allow group A to use fn-app in compartment ${compartment}`, 44, "Write id before an OCID"],
    [`Allow group A to use fn-app in compartment id ${group}`, 47, "The OCID of a compartment is expected"],
    ["Allow group A to use fn-app in compartment My Stage", 47, "where, or the end, is expected, not 'Stage'"],
    ["Allow group A to use fn-app in tenancy where", 45, "a condition is expected, not the end"],
    [where("request.permission='FN_APP_READ'"), 46, "'request.permission' is not in this language"],
    [where("request.networkSource.name='n'"), 46, "there is no variable 'request.networkSource.name'"],
    [where("target.resource.tag.a.b='n'"), 46, "there is no variable 'target.resource.tag.a.b'"],
    [where("toString='n'"), 46, "there is no variable 'toString'"],
    [where("request.user.name in ('a','b')"), 64, "the operator 'in' is not in this language"],
    [where("request.user.name before '2026-01-01T00:00:00Z'"), 64, "the operator 'before'"],
    [where("request.user.name between 'a' and 'b'"), 64, "the operator 'between'"],
    [where("request.user.name == 'a'"), 65, "a value is expected, not '='"],
    [where("request.user.name = ada"), 66, "Write values in quotes"],
    [where("request.user.name = “ada”"), 66, "not '“' (U+201C)"],
    [where("request.user.name = 'a"), 66, "the quote ' is not closed"],
    [where("request.user.name = /a"), 66, "the pattern is not closed"],
    [where("request.user.name = /a*b/"), 66, "a * stands inside of the pattern"],
    [where("request.user.name = //"), 66, "the pattern is empty"],
    [where("request.user.name = 'a' and request.user.name = 'b'"), 70, "Join conditions with all"],
    [where("all {request.user.name = 'a',}"), 75, "a condition is expected, not '}'"],
    [where("all {}"), 51, "a condition is expected, not '}'"],
    [where("all request.user.name = 'a'"), 50, "{ is expected, not 'request.user.name'"],
    [where("any {request.user.name = 'a'"), 74, "} is expected, not the end"],
    [where("(request.user.name = 'a')"), 46, "a condition is expected, not '('"],
    [where(`target.app.id = '${compartment}'`), 62, "is not an id of this platform that target.app.id can hold"],
    [where("request.principal.type = 'ApiGateway'"), 71, "request.principal.type is never 'ApiGateway'"],
    ["Allow\u00a0group A to use fn-app in tenancy", 6, "(U+00A0)"],
    ["\u0410llow group A to use fn-app in tenancy", 1, "(U+0410)"],
    ["Allow group A to use fn\u2010app in tenancy", 22, "there is no resource type 'fn'"],
  ])("is refused by name and column: %s", (text, column, says) => {
    const said = refusal(() => parseStatement(text));
    if (!said.includes(`column ${column}:`) || !said.includes(says)) expect(said).toBe(`column ${column}: … ${says}`);
    expect(said).toMatch(/^policy-invalid · The statement, column \d+: .+\. · .+$/);
  });

  it("is named with its statement in a policy", () => {
    const good = "Allow group A to use fn-app in tenancy";
    expect(parsePolicy([good, good])).toHaveLength(2);
    expect(refusal(() => parsePolicy([good, "nonsense"]))).toContain("Statement 2, column 1: Allow is expected");
    expect(refusal(() => parsePolicy([]))).toContain("0 statements");
    const many = Array.from({ length: limits.policyStatementsMax + 1 }, () => good);
    expect(refusal(() => parsePolicy(many))).toContain("51 statements; it has from 1 to 50");
  });

  it("never comes through a name: what is in quotes stays a name", () => {
    const injected = parseStatement(
      "Allow group 'A to manage all-resources in tenancy' to inspect fn-app in compartment C",
    );
    expect(injected).toMatchObject({ verb: "inspect", location: { kind: "compartment-path", names: ["C"] } });
    const closed = "Allow group 'A' to manage all-resources in tenancy' to inspect fn-app in compartment C";
    expect(refusal(() => parseStatement(closed))).toContain("the quote ' is not closed");
  });
});

describe("hostile texts", () => {
  const deep = (levels: number) => `${"all {".repeat(levels)}request.user.name = 'a'${"}".repeat(levels)}`;
  const statement = (condition: string) => `Allow group A to use fn-app in tenancy where ${condition}`;

  it("nest no deeper than the limit", () => {
    const { conditionDepthMax } = limits;
    expect(refusal(() => parseStatement(statement(deep(conditionDepthMax))))).toBe("accepted");
    expect(refusal(() => parseStatement(statement(deep(conditionDepthMax + 1))))).toContain("16 levels deep");
    expect(refusal(() => parseStatement(statement(deep(100_000))))).toContain("longer than 16384 characters");
    expect(refusal(() => parseMatchingRule(deep(2_000)))).toContain("16 levels deep");
  });

  it("never make the parsers throw anything else than their problem", () => {
    const pieces = fc.constantFrom(
      ..."Allow group any-user dynamic-group id to manage fn-app in tenancy compartment where all any { } , : / = != ' * /a*/ 'x' request.user.name tag.a.b.value".split(
        " ",
      ),
      ...["\ud800", "\u202e", "\0", "'", "’", "İ", "😀"],
    );
    const texts = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(pieces).map((words) => words.join(" ")),
      fc.tuple(statements(anyWords).map(print), fc.nat(), fc.string({ unit: "grapheme" })).map(([text, at, other]) => {
        const position = at % (text.length + 1);
        return text.slice(0, position) + other + text.slice(position + 1);
      }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(refusal(() => parseStatement(text))).toMatch(/^(accepted$|policy-invalid · )/);
        expect(refusal(() => parseMatchingRule(text))).toMatch(/^(accepted$|matching-rule-invalid · )/);
      }),
      { numRuns: 2000 },
    );
  });

  it("take time in proportion to their length", () => {
    const filled = (piece: string, characters: number) =>
      piece.repeat(Math.ceil(characters / piece.length)).slice(0, characters);
    const shapes = [
      ...["'", "''", "/", "=/", "= /a ", "all{", "}", ",", "a.", "\u0301", " ", "\t\n", "!", "!=", "group a,", "😀"],
      ...["a:", "/*", "= '/", "_-", "ocid1."],
    ];
    for (const shape of shapes)
      for (const start of [
        "",
        "Allow group ",
        "Allow group A to use fn-app in compartment ",
        statement("request.user.name = /"),
      ]) {
        const time = (characters: number) => {
          const text = start + filled(shape, characters - start.length);
          const before = performance.now();
          refusal(() => parseStatement(text));
          refusal(() => parseMatchingRule(text));
          return performance.now() - before;
        };
        expect(Math.min(...[1, 2, 3].map(() => time(limits.policyStatementCharactersMax)))).toBeLessThan(50);
        expect(Math.min(...[1, 2, 3].map(() => time(65_536)))).toBeLessThan(50);
      }
  });
});
