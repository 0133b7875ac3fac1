import type { PolicyVerb, ResourceType } from "@chaya/contract";
import { ocidOf } from "@chaya/contract/oci";
import { describe, expect, it } from "vitest";
import type { Place } from "../../http/authorize.ts";
import { administrator, anonymous, type Principal } from "../../http/principal.ts";
import type { ResourceFacts } from "../model.ts";
import { createAuthorize } from "./create-authorize.ts";
import { type Holdings, idFor, MemoryDirectory, noTags } from "./testing/memory-directory.ts";

const holdings: Holdings = {
  compartments: { dev: "root", team: "dev", prod: "root" },
  users: { ada: ["devs"], bob: [] },
  groups: ["devs"],
  dynamicGroups: { workers: `ALL {resource.type='fnfunc', resource.compartment.id='${compartment("dev")}'}` },
};

function compartment(name: string): string {
  return name === "root" ? ocidOf("tenancy", idFor("root"), "") : ocidOf("compartment", idFor(name), "");
}

function user(name: string): Principal {
  return { kind: "user", id: idFor(name), name };
}

function setUp(policies: Record<string, readonly string[]>, more: Holdings = {}) {
  const directory = new MemoryDirectory({ ...holdings, ...more, policies });
  const functions = new Map<string, ResourceFacts>();
  const authorize = createAuthorize({
    directory,
    region: "us-ashburn-1",
    resourceFacts: (id) => functions.get(id),
  });
  const may = (
    principal: Principal,
    [action, resource]: readonly [PolicyVerb, ResourceType],
    place: string | Place | "anywhere",
    operation = "Operation",
  ) => {
    const at = typeof place !== "string" || place === "anywhere" ? place : { compartmentId: idFor(place) };
    return authorize(principal, { action, resource, operation }, at);
  };
  return { directory, functions, authorize, may };
}

describe("rights", () => {
  it("are all the administrator's and none of nobody's", () => {
    const { may } = setUp({ root: ["Allow any-user to manage all-resources in tenancy"] });
    expect(may(administrator, ["manage", "policies"], "root")).toBe(true);
    expect(may(anonymous, ["inspect", "fn-app"], "root")).toBe(false);
    expect(may(anonymous, ["inspect", "fn-app"], "anywhere")).toBe(false);
  });

  it.each<[PolicyVerb, readonly PolicyVerb[]]>([
    ["inspect", ["inspect"]],
    ["read", ["inspect", "read"]],
    ["use", ["inspect", "read", "use"]],
    ["manage", ["inspect", "read", "use", "manage"]],
  ])("to %s are those to %s", (verb, allowed) => {
    const { may } = setUp({ root: [`Allow group devs to ${verb} fn-app in tenancy`] });
    const verbs = ["inspect", "read", "use", "manage"] as const;
    expect(verbs.filter((asked) => may(user("ada"), [asked, "fn-app"], "root"))).toEqual(allowed);
    expect(may(user("ada"), ["inspect", "fn-function"], "root")).toBe(false);
    expect(may(user("bob"), ["inspect", "fn-app"], "root")).toBe(false);
  });

  it("reach a compartment and what is below, and nothing beside or above", () => {
    const { may } = setUp({ root: ["Allow group devs to manage functions-family in compartment dev"] });
    const where = (name: string) => may(user("ada"), ["manage", "fn-function"], name);
    expect(["dev", "team", "prod", "root", "gone"].filter(where)).toEqual(["dev", "team"]);
    expect(where("anywhere")).toBe(true);
    expect(may(user("ada"), ["manage", "users"], "anywhere")).toBe(false);
  });

  it("of a policy reach no further up than where it is attached", () => {
    const { may } = setUp({
      dev: [
        "Allow group devs to manage fn-app in tenancy",
        `Allow group devs to manage fn-function in compartment id ${compartment("prod")}`,
        "Allow group devs to read fn-app in compartment team",
      ],
    });
    expect(may(user("ada"), ["manage", "fn-app"], "root")).toBe(false);
    expect(may(user("ada"), ["manage", "fn-app"], "dev")).toBe(false);
    expect(may(user("ada"), ["manage", "fn-function"], "prod")).toBe(false);
    expect(may(user("ada"), ["read", "fn-app"], "team")).toBe(true);
  });

  it("of a function come from its dynamic groups, follow it and end with it", () => {
    const { may, functions } = setUp({ root: ["Allow dynamic-group workers to read fn-app in tenancy"] });
    const id = idFor("f");
    const fn: Principal = { kind: "resource", id, name: "f" };
    expect(may(fn, ["read", "fn-app"], "root")).toBe(false);
    functions.set(id, { type: "fnfunc", id, compartmentId: idFor("dev"), tags: noTags });
    expect(may(fn, ["read", "fn-app"], "root")).toBe(true);
    functions.set(id, { type: "fnfunc", id, compartmentId: idFor("prod"), tags: noTags });
    expect(may(fn, ["read", "fn-app"], "root")).toBe(false);
    functions.delete(id);
    expect(may(fn, ["read", "fn-app"], "root")).toBe(false);
  });

  it("change at once with the directory, and a blocked user has none", () => {
    const policies = { root: ["Allow group devs to read fn-app in tenancy"] };
    const { may, directory } = setUp(policies);
    expect(may(user("ada"), ["read", "fn-app"], "dev")).toBe(true);
    directory.replace({ ...holdings, policies: {} });
    expect(may(user("ada"), ["read", "fn-app"], "dev")).toBe(false);
    directory.replace({ ...holdings, policies, blocked: ["ada"] });
    expect(may(user("ada"), ["read", "fn-app"], "dev")).toBe(false);
    directory.replace({ ...holdings, policies, users: { ada: [] } });
    expect(may(user("ada"), ["read", "fn-app"], "dev")).toBe(false);
  });

  it("stop being worked out when they are not asked for any more", () => {
    const { directory, authorize } = setUp({});
    expect(directory.listeners).toBe(1);
    authorize[Symbol.dispose]();
    expect(directory.listeners).toBe(0);
  });
});

describe("a condition", () => {
  const app = (id: string): Place => ({
    compartmentId: idFor("dev"),
    target: { "app.id": ocidOf("fnapp", id, "us-ashburn-1"), "app.name": "photos" },
  });

  it.each<[string, boolean]>([
    ["request.operation = 'GetApplication'", true],
    ["request.operation = 'getapplication'", true],
    ["request.operation != 'GetApplication'", false],
    ["request.operation = /Get*/", true],
    ["request.operation = /List*/", false],
    [`request.user.id = '${ocidOf("user", idFor("ada"), "")}'`, true],
    ["request.user.name = 'ada'", true],
    ["request.user.name != 'ada'", false],
    ["all {request.user.name = 'ada', request.operation = /*Application/}", true],
    ["all {request.user.name = 'ada', request.operation = 'X'}", false],
    ["any {request.user.name = 'bob', any {request.operation = /Get*/}}", true],
    [`target.compartment.id = '${compartment("dev")}'`, true],
    ["target.compartment.name = 'prod'", false],
    [`target.app.id = '${ocidOf("fnapp", idFor("one"), "eu-frankfurt-1")}'`, true],
    [`target.app.id != '${ocidOf("fnapp", idFor("one"), "us-ashburn-1")}'`, false],
  ])("where %s: %s", (condition, expected) => {
    const { may } = setUp({ root: [`Allow group devs to read fn-app in tenancy where ${condition}`] });
    expect(may(user("ada"), ["read", "fn-app"], app(idFor("one")), "GetApplication")).toBe(expected);
    expect(may(user("ada"), ["manage", "fn-app"], app(idFor("one")), "GetApplication")).toBe(false);
  });

  it.each(["=", "!="])("with %s does not hold for what is not there", (operator) => {
    const id = ocidOf("fnfunc", idFor("other"), "us-ashburn-1");
    const { may } = setUp({
      root: [`Allow group devs to read fn-app in tenancy where target.function.id ${operator} '${id}'`],
    });
    expect(may(user("ada"), ["read", "fn-app"], app(idFor("one")))).toBe(false);
  });
});
