// The compiled decision against one that is written to be plainly right: no compiling, no caches.
import { policyVerbs } from "@chaya/contract";
import { ocidOf, parseOcid } from "@chaya/contract/oci";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Place } from "../../http/authorize.ts";
import type { Principal } from "../../http/principal.ts";
import type { ResourceFacts } from "../model.ts";
import { createAuthorize } from "./create-authorize.ts";
import type { Condition, Location, Named, Policy, Statement } from "./policy.ts";
import { print, statements } from "./testing/arbitrary-statements.ts";
import { type Holdings, idFor, MemoryDirectory } from "./testing/memory-directory.ts";

const region = "us-ashburn-1";
const compartments = ["root", "dev", "team", "prod"];
const holdings: Holdings = {
  compartments: { dev: "root", team: "dev", prod: "root" },
  users: { ada: ["devs", "ops"], bob: ["ops"], eve: ["devs"], none: [] },
  blocked: ["eve"],
  groups: ["devs", "ops"],
  dynamicGroups: {
    all: "resource.type = 'fnfunc'",
    ofDev: `resource.compartment.id = '${idFor("dev")}'`,
    tagged: "tag.team.name.value = 'a'",
  },
};
const functions: Readonly<Record<string, ResourceFacts>> = {
  f: fn("f", "dev", { team: { name: "A" } }),
  g: fn("g", "root", {}),
};
const people: readonly Principal[] = [
  ...["ada", "bob", "eve", "none", "gone"].map((name) => ({ kind: "user", id: idFor(name), name }) as const),
  ...["f", "g", "gone"].map((name) => ({ kind: "resource", id: idFor(name), name }) as const),
];

function fn(name: string, compartment: string, defined: ResourceFacts["tags"]["defined"]): ResourceFacts {
  return { type: "fnfunc", id: idFor(name), compartmentId: idFor(compartment), tags: { freeform: {}, defined } };
}

const facts = (id: string) => Object.values(functions).find((each) => each.id === id);

const words = {
  groups: fc.constantFrom("devs", "ops", "gone"),
  dynamicGroups: fc.constantFrom("all", "ofDev", "tagged", "gone"),
  compartments: fc.constantFrom("dev", "team", "prod", "root"),
  ids: fc.constantFrom(
    ...["root", "dev", "team", "prod", "ada", "bob", "devs", "ops", "f", "g", "app", "ofDev"].map(idFor),
  ),
  texts: fc.constantFrom("GetApplication", "listapp", "ADA", "bob", "photos", "iad", region, "dev", "Team"),
};

const places: fc.Arbitrary<Place> = fc
  .record({
    compartmentId: fc.constantFrom(...[...compartments, "gone"].map(idFor)),
    target: fc.constantFrom<Record<string, string> | undefined>(
      undefined,
      { "app.id": ocidOf("fnapp", idFor("app"), region), "app.name": "Photos" },
      { "user.id": ocidOf("user", idFor("ada"), ""), "user.name": "ada", "group.name": "devs" },
    ),
  })
  .map(({ compartmentId, target }) => (target === undefined ? { compartmentId } : { compartmentId, target }));

const requests = fc.record({
  principal: fc.constantFrom(...people),
  action: fc.constantFrom(...policyVerbs),
  resource: fc.constantFrom(...(["fn-app", "fn-invocation", "users"] as const)),
  operation: fc.constantFrom("GetApplication", "ListApplications", "UpdateUser"),
  place: places,
});

type Request = typeof requests extends fc.Arbitrary<infer R> ? R : never;

const policies = fc.dictionary(
  fc.constantFrom(...compartments),
  fc.array(statements(words), { minLength: 2, maxLength: 10 }),
  {
    minKeys: 1,
    noNullPrototype: true,
  },
);

it("decides as the plain reading of every statement does, in every place and anywhere", () => {
  let allowed = 0;
  fc.assert(
    fc.property(policies, fc.array(requests, { minLength: 20, maxLength: 50 }), (attached, asked) => {
      const texts = Object.entries(attached).map(([name, parts]) => [name, parts.map(print)] as const);
      const directory = new MemoryDirectory({ ...holdings, policies: Object.fromEntries(texts) });
      const authorize = createAuthorize({ directory, region, resourceFacts: facts });
      for (const request of asked) {
        const { principal, place, ...auth } = request;
        const expected = mayPlainly(directory, request);
        expect(authorize(principal, auth, place)).toBe(expected);
        if (!expected) continue;
        allowed += 1;
        if (place.compartmentId !== idFor("gone")) expect(authorize(principal, auth, "anywhere")).toBe(true);
      }
    }),
    { numRuns: 800 },
  );
  expect(allowed).toBeGreaterThan(1000);
});

function mayPlainly(directory: MemoryDirectory, request: Request): boolean {
  const variables = variablesOf(directory, request);
  if (variables === undefined) return false;
  return directory
    .policies()
    .some((policy) =>
      policy.statements.some(
        (statement) =>
          isAbout(directory, statement, request.principal) &&
          policyVerbs.indexOf(statement.verb) >= policyVerbs.indexOf(request.action) &&
          statement.resources.has(request.resource) &&
          lies(directory, { policy, location: statement.location, place: request.place }) &&
          (statement.condition === undefined || isTrue(statement.condition, variables)),
      ),
    );
}

function isAbout(directory: MemoryDirectory, { subject }: Statement, principal: Principal): boolean {
  if (subject.kind === "any-user") return true;
  const isNamed = (named: Named, name: string) => (named.by === "id" ? named.id === idFor(name) : named.name === name);
  if (subject.kind === "groups") {
    const groups = principal.kind === "user" ? (holdings.users?.[principal.name] ?? []) : [];
    return subject.names.some((named) => groups.some((name) => isNamed(named, name)));
  }
  const resource = principal.kind === "resource" ? facts(principal.id) : undefined;
  const members = Object.keys(holdings.dynamicGroups ?? {});
  return subject.names.some((named) =>
    members.some(
      (name) => isNamed(named, name) && resource !== undefined && directory.dynamicGroupNamed(name)?.matches(resource),
    ),
  );
}

/** Reads the path from the policy's compartment down to the place. */
function lies(
  directory: MemoryDirectory,
  { policy, location, place }: { readonly policy: Policy; readonly location: Location; readonly place: Place },
): boolean {
  const path = directory.lineage(place.compartmentId).toReversed();
  const attachedAt = path.indexOf(policy.compartmentId);
  if (attachedAt === -1) return false;
  if (location.kind === "tenancy") return attachedAt === 0;
  if (location.kind === "compartment") return path.indexOf(location.id) >= attachedAt;
  const below = path.slice(attachedAt + 1).map((id) => directory.compartment(id)?.name);
  if (location.names.every((name, index) => below[index] === name)) return true;
  return location.names.length === 1 && location.names[0] === directory.compartment(policy.compartmentId)?.name;
}

type Variables = ReadonlyMap<string, readonly string[]>;

/** Undefined of whoever has no rights at all. */
function variablesOf(directory: MemoryDirectory, { principal, operation, place }: Request): Variables | undefined {
  const { compartmentId, target = {} } = place;
  const aliases: Readonly<Record<string, string>> = { GetApplication: "GetApp", ListApplications: "ListApp" };
  const variables = new Map<string, readonly string[]>([
    ["request.region", [region, "iad"]],
    ["request.operation", [operation, aliases[operation] ?? operation]],
    ["target.compartment.id", [compartmentId]],
    ...Object.entries(target).map(([name, value]) => [`target.${name}`, [value]] as const),
  ]);
  const name = directory.compartment(compartmentId)?.name;
  if (name !== undefined) variables.set("target.compartment.name", [name]);
  variables.set("request.principal.id", [principal.id]);
  if (principal.kind === "user") {
    const groups = holdings.users?.[principal.name];
    if (groups === undefined || holdings.blocked?.includes(principal.name)) return undefined;
    return variables
      .set("request.principal.type", ["user"])
      .set("request.user.id", [principal.id])
      .set("request.user.name", [principal.name])
      .set("request.groups.id", groups.map(idFor));
  }
  const resource = facts(principal.id);
  return (
    resource &&
    variables
      .set("request.principal.type", ["fnfunc"])
      .set("request.principal.compartment.id", [resource.compartmentId])
  );
}

function isTrue(condition: Condition, variables: Variables): boolean {
  if (condition.kind !== "compare") {
    const truths = condition.conditions.map((part) => isTrue(part, variables));
    return condition.kind === "all" ? !truths.includes(false) : truths.includes(true);
  }
  const { variable, operator, value } = condition;
  const actual = variables.get(variable);
  if (actual === undefined) return false;
  const isIt = (text: string) =>
    value.kind === "text" ? isSame(text, value.text) : isLike(shownAs(variable, text), value.pattern);
  return operator === "=" ? actual.some(isIt) : !actual.some(isIt);
}

function isSame(one: string, other: string): boolean {
  const idOf = (text: string) => parseOcid(text)?.id ?? text;
  return one.toLowerCase() === other.toLowerCase() || idOf(one) === idOf(other);
}

/** Patterns are held against OCIDs, where the model has record ids. */
function shownAs(variable: string, text: string): string {
  const isRecordId = /^0[0-9A-F]+$/.test(text) && text.length === 26;
  if (!isRecordId) return text;
  if (variable.includes("compartment")) return ocidOf(text === idFor("root") ? "tenancy" : "compartment", text, "");
  if (variable === "request.groups.id") return ocidOf("group", text, "");
  return facts(text) === undefined ? ocidOf("user", text, "") : ocidOf("fnfunc", text, region);
}

function isLike(text: string, pattern: string): boolean {
  const escaped = pattern.replaceAll(/[^*]/g, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
  return new RegExp(`^${escaped.replaceAll("*", ".*")}$`, "iu").test(text);
}
