import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type AnyRoute,
  type PolicyVerb,
  policyVerbs,
  type ResourceType,
  type RouteAuth,
  resourceTypes,
} from "@chaya/contract";
import type { AuditEventView } from "@chaya/contract/chaya";
import { allRoutes } from "@chaya/contract/openapi";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testStores } from "../packages/server/src/testing/stores.ts";
import { send } from "./calls.ts";
import { startTestPlatform, type TestPlatform } from "./test-platform.ts";

/** Every route that asks for a right, whichever door and dialect. */
const guarded = Object.entries(allRoutes).flatMap(([name, route]) => {
  const { auth } = route;
  return auth === undefined ? [] : [{ name, route, auth }];
});

/** An id that nothing has. */
const nobody = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const now = "2020-01-01T00:00:00Z";

/** What stands in a path, a query or a body; what exists is found when the tests begin. */
interface Given {
  readonly tenancy: string;
  readonly user: string;
  readonly group: string;
  readonly membership: string;
  readonly dynamicGroup: string;
  readonly policy: string;
  readonly compartment: string;
  readonly application: string;
  readonly function: string;
  readonly fingerprint: string;
  readonly authToken: string;
}

/** Bodies that are read without a complaint, so that it is the right that decides; `{}` where nothing is asked for. */
function bodyOf(name: string, given: Given): unknown {
  const lies = { compartmentId: given.tenancy, name: "swept", description: "d" };
  const bodies: Readonly<Record<string, unknown>> = {
    setSecret: { value: "v" },
    createLoginLink: { user: given.user },
    createApplication: { compartmentId: given.tenancy, displayName: "swept", subnetIds: ["s"] },
    changeApplicationCompartment: { compartmentId: given.tenancy },
    createFunction: { displayName: "swept", applicationId: given.application, image: "i", memoryInMBs: 128 },
    createCompartment: lies,
    moveCompartment: { targetCompartmentId: given.tenancy },
    createPolicy: {
      ...lies,
      statements: ["Allow any-user to inspect fn-app in tenancy where request.user.name = 'x'"],
    },
    createUser: lies,
    createGroup: lies,
    createDynamicGroup: { ...lies, matchingRule: "resource.type = 'fnfunc'" },
    uploadApiKey: { key: "none" },
    createAuthToken: { description: "d" },
    addUserToGroup: { userId: given.user, groupId: given.group },
  };
  return bodies[name] ?? {};
}

function isIdentity({ path }: AnyRoute): boolean {
  return path.startsWith("/20160918/");
}

/**
 * Reading asks for what is there, changing for what is not: it must not spoil what the others ask for. In identity, where
 * nothing tells what is not there from what may not be seen, changes ask for another state of what is there.
 */
function targetOf(route: AnyRoute, given: Given): string {
  const known: Readonly<Record<string, string>> = {
    tenancyId: given.tenancy,
    userId: given.user,
    groupId: given.group,
    userGroupMembershipId: given.membership,
    dynamicGroupId: given.dynamicGroup,
    policyId: given.policy,
    compartmentId: given.compartment,
    applicationId: given.application,
    functionId: given.function,
    appId: given.application,
    fnId: given.function,
    fingerprint: given.fingerprint,
    authTokenId: given.authToken,
  };
  const isKept = route.method === "GET" || route.door === "data" || isIdentity(route);
  const path = route.path.replaceAll(/\{(\w+)(?:\.\.\.)?\}/g, (_, name: string) => (isKept && known[name]) || nobody);
  const query = new URLSearchParams();
  const isOci = route.dialect === "oci";
  if (isOci && route.method === "GET") query.set("compartmentId", given.tenancy);
  if (isOci && route.path.endsWith("/functions")) query.set("applicationId", given.application);
  if (route.path === "/chaya/v1/bundles") for (const name of ["app", "fn"]) query.set(name, "swept");
  if (route.path === "/v2/fns" || route.path === "/v2/triggers") query.set("app_id", given.application);
  return `${path}?${query}`;
}

type Right = Pick<RouteAuth, "action" | "resource">;

/** What a route needs, each alone. */
function rightsOf({ action, resource, also }: RouteAuth): readonly Right[] {
  return [{ action, resource }, ...(also === undefined ? [] : [also])];
}

/** No more than a route needs. */
function justEnough(rights: readonly Right[]): readonly string[] {
  return rights.map(({ action, resource }) => statement(action, resource));
}

/** Everything there is but the last step to one of the rights that a route needs. */
function justTooLittle(missing: Right): readonly string[] {
  const before = policyVerbs[policyVerbs.indexOf(missing.action) - 1];
  return [
    ...resourceTypes.filter((type) => type !== missing.resource).map((type) => statement("manage", type)),
    ...(before === undefined ? [] : [statement(before, missing.resource)]),
  ];
}

function statement(verb: PolicyVerb, type: ResourceType): string {
  return `Allow group GROUP to ${verb} ${type} in tenancy`;
}

describe.each(testStores())("every route on $kind", (store) => {
  let platform: TestPlatform;
  let given: Given;
  let administrator: string;
  /** Statements → token of somebody who has these rights and no others. */
  const tokens = new Map<string, Promise<string>>();

  const ask = async (token: string, method: string, target: string, body?: unknown) => {
    const headers = { authorization: `Bearer ${token}`, "if-match": "another state" };
    const answer = await send(platform.url + target, body, { method, headers });
    return { status: answer.status, text: answer.text };
  };
  const make = async (path: string, body: unknown): Promise<string> => {
    const { status, text } = await ask(administrator, "POST", path, body);
    if (status !== 200) expect.fail(`${path}: ${status} ${text}`);
    return JSON.parse(text).id;
  };
  const makeKey = async (userId: string): Promise<string> => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const body = { key: publicKey.export({ type: "spki", format: "pem" }) };
    return JSON.parse((await ask(administrator, "POST", `/20160918/users/${userId}/apiKeys`, body)).text).fingerprint;
  };

  beforeAll(async () => {
    platform = await startTestPlatform(store, { flags: { auth: "required" } });
    administrator = readFileSync(join(platform.data, "keys", "admin.token"), "utf8").trim();
    const tenancy = JSON.parse((await ask(administrator, "GET", "/chaya/v1/node")).text).tenancy;
    const lies = { compartmentId: tenancy, name: "given", description: "d" };
    const user = await make("/20160918/users", lies);
    const group = await make("/20160918/groups", lies);
    const application = await make("/v2/apps", { name: "given" });
    given = {
      ...{ tenancy, user, group, application },
      membership: await make("/20160918/userGroupMemberships", { userId: user, groupId: group }),
      dynamicGroup: await make("/20160918/dynamicGroups", {
        ...lies,
        name: "alive",
        matchingRule: "resource.type = 'fnfunc'",
      }),
      policy: await make("/20160918/policies", {
        ...lies,
        statements: ["Allow group given to read fn-app in tenancy"],
      }),
      compartment: await make("/20160918/compartments", lies),
      function: await make("/v2/fns", { app_id: application, name: "given", image: "i" }),
      fingerprint: await makeKey(user),
      authToken: await make(`/20160918/users/${user}/authTokens`, { description: "given" }),
    };
  }, 60_000);
  afterAll(() => platform[Symbol.asyncDispose]());

  function tokenWith(statements: readonly string[]): Promise<string> {
    const key = statements.join();
    const token = tokens.get(key) ?? makeUser(`u${tokens.size}`, statements);
    tokens.set(key, token);
    return token;
  }

  async function makeUser(name: string, statements: readonly string[]): Promise<string> {
    const lies = { compartmentId: given.tenancy, name, description: "d" };
    const userId = await make("/20160918/users", lies);
    const groupId = await make("/20160918/groups", lies);
    await make("/20160918/userGroupMemberships", { userId, groupId });
    await make("/20160918/policies", { ...lies, statements: statements.map((text) => text.replace("GROUP", name)) });
    const made = await ask(administrator, "POST", `/20160918/users/${userId}/authTokens`, { description: "d" });
    return JSON.parse(made.text).token;
  }

  const audited = async (): Promise<AuditEventView> => {
    const { text } = await ask(administrator, "GET", "/chaya/v1/audit?limit=1");
    return JSON.parse(text).items[0];
  };

  /** Whether the right was what decided. What cannot be told from an answer stands in the audit. */
  async function isDenied({ name, route, auth }: (typeof guarded)[number], token: string): Promise<boolean> {
    const target = targetOf(route, given);
    const body = route.method === "GET" || route.method === "DELETE" ? undefined : bodyOf(name, given);
    const { status, text } = await ask(token, route.method, target, body);
    expect(status, text).not.toBe(401);
    if (route.door === "control" && route.method !== "GET") {
      const event = await audited();
      expect(event.operation).toBe(auth.operation);
      return event.problem === "not-authorized";
    }
    return status === 404 && /not-authorized|NotAuthorizedOrNotFound|Not found or not authorized/.test(text);
  }

  it.each(guarded)("$name needs its right and no other", async (asked) => {
    const rights = rightsOf(asked.auth);
    for (const missing of rights) expect(await isDenied(asked, await tokenWith(justTooLittle(missing)))).toBe(true);
    // There are no listings of pre-built functions: one that may be seen looks like one that may not.
    if (/\{pbfListing/.test(asked.route.path)) return;
    expect(await isDenied(asked, await tokenWith(justEnough(rights)))).toBe(false);
  });

  it.each(guarded)("$name is closed to nobody, to wrong credentials and to old signatures", async ({ name, route }) => {
    const target = targetOf(route, given);
    const body = route.method === "GET" || route.method === "DELETE" ? undefined : bodyOf(name, given);
    const signature = `Signature version="1",keyId="${given.tenancy}/${given.user}/00",algorithm="rsa-sha256",headers="(request-target) host date",signature="AA=="`;
    const credentials = [
      {},
      { authorization: `Bearer chaya_${"A".repeat(43)}` },
      { authorization: "Basic YTpi" },
      { authorization: signature, date: new Date(now).toUTCString() },
    ];
    for (const headers of credentials) {
      const { status } = await send(platform.url + target, body, { method: route.method, headers });
      expect(status).toBe(401);
    }
  });
});
