import { limits, type PolicyVerb, type ResourceType } from "@chaya/contract";
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

  it("of a function that come from a tag end with it", () => {
    const { may, functions } = setUp(
      { root: ["Allow dynamic-group tagged to read fn-app in tenancy"] },
      { dynamicGroups: { tagged: "tag.team.name.value = 'a'" } },
    );
    const fn: ResourceFacts = { type: "fnfunc", id: idFor("f"), compartmentId: idFor("dev"), tags: noTags };
    const asks = () => may({ kind: "resource", id: fn.id, name: "f" }, ["read", "fn-app"], "root");
    functions.set(fn.id, { ...fn, tags: { freeform: {}, defined: { team: { name: "a" } } } });
    expect(asks()).toBe(true);
    functions.set(fn.id, fn);
    expect(asks()).toBe(false);
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

describe("any-user and any-group", () => {
  const fn: ResourceFacts = { type: "fnfunc", id: idFor("f"), compartmentId: idFor("prod"), tags: noTags };
  const asks: Principal = { kind: "resource", id: fn.id, name: "f" };

  it.each(["any-user", "any-group"])("%s is every user and every function, whatever groups they are in", (subject) => {
    const { may, functions } = setUp({ root: [`Allow ${subject} to read fn-app in tenancy`] });
    functions.set(fn.id, fn);
    for (const principal of [user("ada"), user("bob"), asks])
      expect(may(principal, ["read", "fn-app"], "dev")).toBe(true);
    expect(may(user("nobody"), ["read", "fn-app"], "dev")).toBe(false);
    expect(may(anonymous, ["read", "fn-app"], "dev")).toBe(false);
  });

  it.each<[string, readonly string[]]>([
    ["request.principal.type = 'fnfunc'", ["f"]],
    ["request.principal.type != 'fnfunc'", ["ada", "bob"]],
    [`request.principal.id = '${ocidOf("fnfunc", fn.id, "eu-frankfurt-1")}'`, ["f"]],
    [`request.principal.compartment.id = '${compartment("prod")}'`, ["f"]],
    [`request.principal.compartment.id != '${compartment("dev")}'`, ["f"]],
    ["request.user.name != 'ada'", ["bob"]],
    [`request.groups.id = '${ocidOf("group", idFor("devs"), "")}'`, ["ada"]],
    [`request.groups.id != '${ocidOf("group", idFor("devs"), "")}'`, ["bob"]],
    ["request.region = 'IAD'", ["ada", "bob", "f"]],
    ["request.region = 'us-ashburn-1'", ["ada", "bob", "f"]],
    ["request.region != 'iad'", []],
  ])("where %s: %j", (condition, expected) => {
    const { may, functions } = setUp({ root: [`Allow any-user to read fn-app in tenancy where ${condition}`] });
    functions.set(fn.id, fn);
    const allowed = [user("ada"), user("bob"), asks].filter((principal) => may(principal, ["read", "fn-app"], "dev"));
    expect(allowed.map(({ name }) => name)).toEqual(expected);
  });
});

describe("Oracle's examples for functions", () => {
  const photos: Place = {
    compartmentId: idFor("dev"),
    target: {
      "app.id": ocidOf("fnapp", idFor("photos"), "us-ashburn-1"),
      "function.id": ocidOf("fnfunc", idFor("resize"), "us-ashburn-1"),
    },
  };
  const other: Place = {
    compartmentId: idFor("dev"),
    target: { "app.id": ocidOf("fnapp", idFor("other"), "us-ashburn-1") },
  };
  const call = ["use", "fn-invocation"] as const;

  it("let developers do everything with functions but call them", () => {
    const { may } = setUp({
      root: [
        "Allow group devs to manage fn-app in compartment dev",
        "Allow group devs to manage fn-function in compartment dev",
      ],
    });
    expect(may(user("ada"), ["manage", "fn-app"], photos)).toBe(true);
    expect(may(user("ada"), ["manage", "fn-function"], photos)).toBe(true);
    expect(may(user("ada"), call, photos)).toBe(false);
  });

  it("let a group call functions: all, those of one application, or one", () => {
    const invoke = (where: string) => {
      const { may } = setUp({ root: [`Allow group devs to use fn-invocation in compartment dev${where}`] });
      return [photos, other, idFor("prod")].map((place) =>
        may(user("ada"), call, typeof place === "string" ? { compartmentId: place } : place, "InvokeFunction"),
      );
    };
    expect(invoke("")).toEqual([true, true, false]);
    expect(invoke(` where target.app.id = '${photos.target?.["app.id"]}'`)).toEqual([true, false, false]);
    expect(invoke(` where target.function.id = '${photos.target?.["function.id"]}'`)).toEqual([true, false, false]);
  });

  it("give functions of a compartment the rights of their dynamic group", () => {
    const { may, functions } = setUp({
      root: [
        "Allow dynamic-group workers to use fn-invocation in compartment dev where target.compartment.name = 'DEV'",
      ],
    });
    const id = idFor("f");
    functions.set(id, { type: "fnfunc", id, compartmentId: idFor("dev"), tags: noTags });
    const asks: Principal = { kind: "resource", id, name: "f" };
    expect(may(asks, call, photos)).toBe(true);
    expect(may(asks, ["manage", "fn-function"], photos)).toBe(false);
    // A user does not come into a dynamic group by having the id of a function.
    expect(may({ ...asks, kind: "user" }, call, photos)).toBe(false);
  });
});

describe("twins", () => {
  it("of names and texts that only look the same have no rights", () => {
    const { may } = setUp(
      {
        root: [
          "Allow group 'd\u0435vs' to manage fn-app in tenancy",
          "Allow group devs\u200b to manage fn-app in tenancy".replace("devs\u200b", "'devs\u200b'"),
          "Allow group 'caf\u00e9' to manage fn-app in tenancy",
          "Allow any-user to manage users in tenancy where request.user.name = '\u212aim'",
          "Allow any-user to manage groups in tenancy where request.user.name = 'kim'",
        ],
      },
      { users: { ada: ["devs", "cafe\u0301"], kim: [], "\u212aim": [] } },
    );
    expect(may(user("ada"), ["inspect", "fn-app"], "root")).toBe(false);
    expect(may(user("kim"), ["inspect", "users"], "root")).toBe(false);
    expect(may(user("\u212aim"), ["inspect", "groups"], "root")).toBe(false);
    expect(may(user("kim"), ["inspect", "groups"], "root")).toBe(true);
  });
});

describe("a question without a place", () => {
  it("is whether there could be one, by all that is known of the principal and the operation", () => {
    const { may } = setUp({
      root: [
        "Allow group devs to read fn-app in compartment dev where target.app.name = 'photos'",
        "Allow group devs to read users in tenancy where all {request.operation = 'GetUser', target.user.name != 'x'}",
        "Allow group devs to read groups in tenancy where all {request.user.name = 'bob', target.group.name = 'x'}",
      ],
    });
    expect(may(user("ada"), ["read", "fn-app"], "anywhere")).toBe(true);
    expect(may(user("ada"), ["use", "fn-app"], "anywhere")).toBe(false);
    expect(may(user("bob"), ["read", "fn-app"], "anywhere")).toBe(false);
    expect(may(user("ada"), ["read", "users"], "anywhere", "GetUser")).toBe(true);
    expect(may(user("ada"), ["read", "users"], "anywhere", "ListUsers")).toBe(false);
    expect(may(user("ada"), ["read", "groups"], "anywhere")).toBe(false);
  });
});

describe("decisions", () => {
  it("are right for more principals than are kept, and for places that are not there", () => {
    const { may, functions } = setUp({ root: ["Allow dynamic-group workers to read fn-app in compartment dev"] });
    const names = Array.from({ length: limits.principalRightsKeptMax + 2 }, (_, index) => `f${index}`);
    for (const name of names) {
      const compartmentId = idFor(name.endsWith("1") ? "dev" : "prod");
      functions.set(idFor(name), { type: "fnfunc", id: idFor(name), compartmentId, tags: noTags });
    }
    for (const name of [...names, ...names.slice(0, 10)])
      for (const place of ["dev", `gone${name}`])
        if (
          may({ kind: "resource", id: idFor(name), name }, ["read", "fn-app"], place) !==
          (name.endsWith("1") && place === "dev")
        )
          expect.fail(`${name} in ${place}`);
  });
});
