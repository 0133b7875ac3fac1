import {
  limits,
  type PolicyVariable,
  type PolicyVerb,
  policyVariables,
  policyVerbs,
  type ResourceType,
  resourceFamilies,
  resourceTypes,
} from "@chaya/contract";
import { allRoutes } from "@chaya/contract/openapi";

/** The grammar of access policies, and what its words stand for. */
export function accessPoliciesReference(generatedNote: string): string {
  return [
    "# Access policies: grammar, operations, variables",
    generatedNote,
    "What policies are for and how they are written: [the guide](../guides/access-policies.md). What is outside of the grammar is\nrefused with its column (`policy-invalid`, `matching-rule-invalid`), never ignored.",
    "## Grammar",
    `\`\`\`ebnf\n${grammar}\n\`\`\``,
    rules,
    "## Operations",
    "Each verb includes those above it in its type. `request.operation` is the name shown, whichever API it comes through; the\nnames in Oracle's policy reference (`ListApp`, `GetApp`, `CreateApp`, `UpdateApp`, `DeleteApp`) are taken as well. An\noperation that stands under two types needs both.",
    table(["type", "verb", "operations"], operationRows()),
    "## Families",
    table(
      ["family", "types"],
      Object.entries(resourceFamilies).map(([name, types]) => [code(name), types.map(code).join(", ")]),
    ),
    "## Variables",
    "In a request without the variable a comparison does not hold, neither with `=` nor with `!=`. Values of `….id` are OCIDs of\nthis platform, of whatever region.",
    table(["variable", "in requests", "what it is"], Object.entries(policyVariables).map(variableRow)),
  ].join("\n\n");
}

const grammar = `statement   = "Allow" subject "to" verb resource "in" location [ "where" condition ] ;
subject     = "any-user" | "any-group"
            | "group" name { "," name }
            | "dynamic-group" name { "," name } ;
name        = [ domain "/" ] ( plain | quoted )
            | "id" ocid ;                       (* after the first "id" an OCID may stand alone *)
domain      = "Default" | "'Default'" ;         (* in any case: the one identity domain *)
verb        = ${policyVerbs.map((verb) => `"${verb}"`).join(" | ")} ;
resource    = type | family ;                   (* see the tables *)
location    = "tenancy"
            | "compartment" part { ":" part }   (* from the policy's compartment down *)
            | "compartment" "id" ocid ;
part        = plain | quoted ;
condition   = comparison
            | ( "all" | "any" ) "{" condition { "," condition } "}" ;
comparison  = variable ( "=" | "!=" ) ( quoted | pattern ) ;
pattern     = "/" [ "*" ] text [ "*" ] "/" ;    (* the text has no * and is not followed by a blank, "," or "}" after a "/" *)
plain       = word ;                            (* but not to, in, where, id, and no OCID *)
word        = character { character } ;         (* letters, marks and digits of any script, and _ . - + @ *)
quoted      = "'" text "'" ;                    (* anything but ' *)
ocid        = word ;                            (* as this platform gave it out, or the 26 characters of an id *)

rule        = test                              (* the matching rule of a dynamic group *)
            | ( "all" | "any" ) "{" rule { "," rule } "}" ;
test        = ( "resource.type" | "resource.id" | "resource.compartment.id" ) ( "=" | "!=" ) quoted
            | tag [ ( "=" | "!=" ) quoted ] ;   (* alone: it is there, with whatever value *)
tag         = "tag." namespace "." key ".value" ;`;

const rules = [
  "- Words in double quotes, types, families and variables are read in any case. Between pieces stand blanks, tabs and line",
  "  breaks, as many as you like.",
  "- Texts and patterns are compared without regard to case, as on OCI; names of groups and compartments are looked up as they",
  "  are written.",
  "- `any-user` and `any-group` are the same: every user and every function, in groups or not. As on OCI they include resource",
  "  principals; add `where request.principal.type = 'user'` for users alone.",
  `- A policy has at most ${limits.policyStatementsMax} statements of at most ${limits.policyStatementCharactersMax} characters; conditions stand in one another at most`,
  `  ${limits.conditionDepthMax} levels deep.`,
].join("\n");

function operationRows(): string[][] {
  const names = new Map<string, Set<string>>();
  for (const { auth } of Object.values(allRoutes)) {
    if (auth === undefined) continue;
    for (const { resource, action } of auth.also === undefined ? [auth] : [auth, auth.also])
      namesOf(names, resource, action).add(auth.operation);
  }
  return resourceTypes.flatMap((type) =>
    policyVerbs
      .map((verb) => [code(type), verb, [...namesOf(names, type, verb)].sort().map(code).join(", ")])
      .filter(([, , operations]) => operations !== ""),
  );
}

function namesOf(names: Map<string, Set<string>>, type: ResourceType, verb: PolicyVerb): Set<string> {
  const key = `${verb} ${type}`;
  const found = names.get(key) ?? new Set<string>();
  names.set(key, found);
  return found;
}

function variableRow([name, { present, meaning, values }]: readonly [string, PolicyVariable]): string[] {
  const only = values === undefined ? "" : `: ${values.map((value) => code(`'${value}'`)).join(" or ")}`;
  return [code(name), present, meaning + only];
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
