// Hot path: ARCHITECTURE, hot-path rules.
import { limits, type PolicyVariableName } from "@chaya/contract";
import { ocidOf } from "@chaya/contract/oci";
import type { Authorize } from "../../http/authorize.ts";
import type { AccessDirectory, DynamicGroup, ResourceFacts } from "../model.ts";
import { compileCondition, ocidOfCompartment, type PrincipalFacts } from "./compile-condition.ts";
import type { Named, Policy, Statement, Subject } from "./policy.ts";
import { reachOf } from "./reach.ts";
import { namesOfRegion } from "./region-keys.ts";
import { type Grant, noRights, type Rights, rightsOf } from "./rights.ts";

export interface AuthorizeDeps {
  readonly directory: AccessDirectory;
  /** In OCIDs, and what `request.region` is. */
  readonly region: string;
  /** Of a function, from memory: asked on each decision, so that one that moved or lost a tag loses its rights at once. */
  readonly resourceFacts: (functionId: string) => ResourceFacts | undefined;
}

/**
 * Decides by the access policies in force. Rights are worked out when a principal first asks and kept until the directory
 * changes; a decision after that is a few look-ups.
 */
export function createAuthorize(deps: AuthorizeDeps): Authorize & Disposable {
  const { directory, resourceFacts } = deps;
  const users = new Map<string, Rights>();
  const resources = new Map<string, { readonly facts: ResourceFacts; readonly rights: Rights }>();
  const subscription = directory.onChange(() => {
    users.clear();
    resources.clear();
  });
  const ofUser = (id: string): Rights => {
    const kept = users.get(id);
    if (kept !== undefined) return kept;
    return keep(users, id, rightsOfUser(id, deps));
  };
  const ofResource = (id: string): Rights => {
    const facts = resourceFacts(id);
    if (facts === undefined) return noRights;
    const kept = resources.get(id);
    if (kept !== undefined && kept.facts.compartmentId === facts.compartmentId && kept.facts.tags === facts.tags)
      return kept.rights;
    return keep(resources, id, { facts, rights: rightsOfResource(facts, deps) }).rights;
  };
  const authorize: Authorize = (principal, auth, place) => {
    switch (principal.kind) {
      case "administrator":
        return true;
      case "anonymous":
        return false;
      case "user":
        return ofUser(principal.id)(auth, place);
      case "resource":
        return ofResource(principal.id)(auth, place);
      default:
        return principal.kind satisfies never;
    }
  };
  return Object.assign(authorize, { [Symbol.dispose]: () => subscription[Symbol.dispose]() });
}

/** Bounded by starting anew: what is dropped is worked out again when it is asked for. */
function keep<Value>(kept: Map<string, Value>, id: string, value: Value): Value {
  if (kept.size >= limits.principalRightsKeptMax) kept.clear();
  kept.set(id, value);
  return value;
}

/** Of a user that is blocked or gone there are none. */
function rightsOfUser(id: string, { directory, region }: AuthorizeDeps): Rights {
  const user = directory.user(id);
  if (user === undefined || user.isBlocked) return noRights;
  const groups = directory.groupsOf(id);
  const facts = factsOf(region, {
    "request.principal.type": ["user"],
    "request.principal.id": [ocidOf("user", id, "")],
    "request.user.id": [ocidOf("user", id, "")],
    "request.user.name": [user.name],
    "request.groups.id": [...groups].map((group) => ocidOf("group", group, "")),
  });
  const isIn = (named: Named): boolean => {
    const group = named.by === "id" ? named.id : directory.groupNamed(named.name)?.id;
    return group !== undefined && groups.has(group);
  };
  return grantedTo({ directory, facts, covers: (subject) => covers(subject, "groups", isIn) });
}

function rightsOfResource(resource: ResourceFacts, { directory, region }: AuthorizeDeps): Rights {
  const facts = factsOf(region, {
    "request.principal.type": [resource.type],
    "request.principal.id": [ocidOf(resource.type, resource.id, region)],
    "request.principal.compartment.id": [ocidOfCompartment(resource.compartmentId, directory)],
  });
  const asked = new Map<DynamicGroup, boolean>();
  const isIn = (named: Named): boolean => {
    const group = named.by === "id" ? directory.dynamicGroup(named.id) : directory.dynamicGroupNamed(named.name);
    if (group === undefined) return false;
    const isMember = asked.get(group) ?? group.matches(resource);
    asked.set(group, isMember);
    return isMember;
  };
  return grantedTo({ directory, facts, covers: (subject) => covers(subject, "dynamic-groups", isIn) });
}

function factsOf(region: string, own: Partial<Record<PolicyVariableName, readonly string[]>>): PrincipalFacts {
  return new Map(Object.entries({ "request.region": namesOfRegion(region), ...own }));
}

/** `any-user` means resource principals as well as users, as on OCI. */
function covers(subject: Subject, kind: "groups" | "dynamic-groups", isIn: (named: Named) => boolean): boolean {
  if (subject.kind === "any-user") return true;
  return subject.kind === kind && subject.names.some(isIn);
}

interface Asking {
  readonly directory: AccessDirectory;
  readonly facts: PrincipalFacts;
  readonly covers: (subject: Subject) => boolean;
}

function grantedTo(asking: Asking): Rights {
  const grants: Grant[] = [];
  for (const policy of asking.directory.policies())
    for (const statement of policy.statements) {
      const grant = grantOf(policy, statement, asking);
      if (grant !== undefined) grants.push(grant);
    }
  return rightsOf(grants, asking.directory);
}

function grantOf(policy: Policy, statement: Statement, { directory, facts, covers }: Asking): Grant | undefined {
  const { subject, location, condition, resources, verb } = statement;
  if (!covers(subject)) return undefined;
  const reach = reachOf(directory, policy.compartmentId, location);
  if (reach === undefined) return undefined;
  const holds = condition === undefined || compileCondition(condition, facts, directory);
  return holds === false ? undefined : { resources, verb, reach, holds };
}
