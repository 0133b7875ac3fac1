import { isProblem } from "@chaya/contract";
import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Logger } from "../kernel/logger.ts";
import { type Change, type ChangesFeed, resetKind } from "../work/changes.ts";
import { AccessShelf } from "./access-shelf.ts";
import type { AccessDirectory, Compartment, DynamicGroup } from "./model.ts";
import { parseMatchingRule } from "./policies/matching-rule.ts";
import { parsePolicy } from "./policies/parse-statement.ts";
import type { Policy } from "./policies/policy.ts";
import { readApiKeys } from "./records/api-keys.ts";
import type { AccessChangeKind } from "./records/commit.ts";
import { readCompartment, readCompartments } from "./records/compartments.ts";
import { type DynamicGroupRecord, readDynamicGroup, readDynamicGroups } from "./records/dynamic-groups.ts";
import { readGroup, readGroups } from "./records/groups.ts";
import { type Membership, readMembership, readMemberships } from "./records/memberships.ts";
import { type PolicyRecord, readPolicies, readPolicy } from "./records/policies.ts";
import { readToken, readTokens } from "./records/tokens.ts";
import { readUser, readUsers } from "./records/users.ts";

export interface DirectoryDeps {
  readonly store: Store<MainTables>;
  readonly changes: ChangesFeed;
  readonly logger: Logger;
  readonly rootId: string;
}

export interface OpenAccessDirectory extends AccessDirectory, Disposable {
  /** The root compartment among them. */
  compartments(): Iterable<Compartment>;
  policy(id: string): Policy | undefined;
  membership(id: string): Membership | undefined;
}

const noGroups: ReadonlySet<string> = new Set();

/**
 * Loads all of identity and follows the feed, which has been started before: what is committed between the start of the
 * feed and the end of the load is read again afterwards, so nothing is missed. Each change names a record; the record
 * is read as it is now, so following twice, or late, ends the same.
 */
export async function createAccessDirectory(deps: DirectoryDeps): Promise<OpenAccessDirectory> {
  let shelf = new AccessShelf(deps.rootId);
  const listeners = new Set<{ readonly listener: () => void }>();
  const loaded = Promise.withResolvers<void>();
  const following = deps.changes.onChange(async (change) => {
    await loaded.promise;
    if (change.kind === resetKind) shelf = await loadShelf(deps);
    else if (!(await follow(deps, shelf, change))) return;
    for (const { listener } of listeners) listener();
  });
  try {
    shelf = await loadShelf(deps);
  } catch (error) {
    following[Symbol.dispose]();
    throw error;
  } finally {
    loaded.resolve();
  }
  return {
    ...lookUps(deps.rootId, () => shelf),
    onChange: (listener) => {
      // A listener may be given twice; each registration ends by itself.
      const registered = { listener };
      listeners.add(registered);
      return { [Symbol.dispose]: () => void listeners.delete(registered) };
    },
    [Symbol.dispose]: () => following[Symbol.dispose](),
  };
}

function lookUps(rootId: string, shelf: () => AccessShelf): Omit<OpenAccessDirectory, "onChange" | keyof Disposable> {
  return {
    rootId,
    compartments: () => shelf().compartments.values(),
    compartment: (id) => shelf().compartments.get(id),
    compartmentNamed: (parentId, name) =>
      shelf()
        .compartments.values()
        .find((each) => each.parentId === parentId && each.name === name),
    lineage: (compartmentId) => shelf().lineage(compartmentId),
    user: (id) => shelf().users.get(id),
    apiKey: (userId, fingerprint) => shelf().apiKey(userId, fingerprint),
    token: (hash) => shelf().token(hash),
    group: (id) => shelf().groups.byId.get(id),
    groupNamed: (name) => shelf().groups.byName.get(name),
    groupsOf: (userId) => shelf().groupsByUser.get(userId) ?? noGroups,
    dynamicGroupNamed: (name) => shelf().dynamicGroups.byName.get(name),
    dynamicGroup: (id) => shelf().dynamicGroups.byId.get(id),
    policies: () => shelf().policies.values(),
    policy: (id) => shelf().policies.get(id),
    membership: (id) => shelf().memberships.get(id),
  };
}

async function loadShelf(deps: DirectoryDeps): Promise<AccessShelf> {
  const shelf = new AccessShelf(deps.rootId);
  for (const compartment of await readCompartments(deps)) shelf.putCompartment(compartment.id, compartment);
  for (const user of await readUsers(deps)) shelf.putUser(user.id, user);
  for (const group of await readGroups(deps)) shelf.groups.put(group.id, group);
  for (const group of await readDynamicGroups(deps)) shelf.dynamicGroups.put(group.id, dynamicGroupOf(deps, group));
  for (const membership of await readMemberships(deps)) shelf.putMembership(membership.id, membership);
  const keys = Map.groupBy(await readApiKeys(deps.store.db), ({ userId }) => userId);
  for (const [userId, ofUser] of keys) shelf.putKeys(userId, ofUser);
  for (const token of await readTokens(deps)) shelf.putToken(token.id, token);
  for (const policy of await readPolicies(deps)) putPolicy(deps, shelf, { id: policy.id, policy });
  const { users, groups, policies } = shelf;
  deps.logger.info("access directory loaded", {
    users: users.size,
    groups: groups.byId.size,
    policies: policies.size,
  });
  return shelf;
}

/** Reads what the change names and shows it; false when it is none of identity's. */
async function follow(deps: DirectoryDeps, shelf: AccessShelf, { kind, id }: Change): Promise<boolean> {
  const { db } = deps.store;
  // Other services append kinds of their own.
  const known = kind as AccessChangeKind;
  switch (known) {
    case "compartment":
      shelf.putCompartment(id, await readCompartment(db, id));
      return true;
    case "user":
      shelf.putUser(id, await readUser(db, id));
      return true;
    case "group":
      shelf.groups.put(id, await readGroup(db, id));
      return true;
    case "dynamic-group": {
      const record = await readDynamicGroup(db, id);
      shelf.dynamicGroups.put(id, record && dynamicGroupOf(deps, record));
      return true;
    }
    case "membership":
      shelf.putMembership(id, await readMembership(db, id));
      return true;
    case "user-keys":
      shelf.putKeys(id, await readApiKeys(db, id));
      return true;
    case "token":
      shelf.putToken(id, await readToken(db, id));
      return true;
    case "policy":
      putPolicy(deps, shelf, { id, policy: await readPolicy(db, id) });
      return true;
    default:
      known satisfies never;
      return false;
  }
}

/** A policy that an older version took and this one cannot read gives nobody anything. */
function putPolicy(
  deps: DirectoryDeps,
  shelf: AccessShelf,
  { id, policy }: { readonly id: string; readonly policy: PolicyRecord | undefined },
): void {
  if (policy === undefined) {
    shelf.policies.delete(id);
    return;
  }
  const { compartmentId, name, statements } = policy;
  const parsed = parsedOr(deps, [], () => parsePolicy(statements));
  shelf.policies.set(id, { id, compartmentId, name, statements: parsed });
}

function dynamicGroupOf(deps: DirectoryDeps, record: DynamicGroupRecord): DynamicGroup {
  return { ...record, matches: parsedOr(deps, matchesNothing, () => parseMatchingRule(record.matchingRule)) };
}

const matchesNothing = () => false;

function parsedOr<T>({ logger }: DirectoryDeps, fallback: T, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!isProblem(error)) throw error;
    logger.error("a stored policy or matching rule cannot be read: it is not in force", { error });
    return fallback;
  }
}
