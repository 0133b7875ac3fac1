import { setImmediate as turn } from "node:timers/promises";
import { limits } from "@chaya/contract";
import { describe, expect, it, vi } from "vitest";
import { silentLogger } from "../kernel/logger.ts";
import { systemRandom } from "../kernel/random.ts";
import { type IdentityServer, newTestKey, rootId, startIdentityServer } from "../testing/identity-server.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { testStores } from "../testing/stores.ts";
import { type Change, type ChangesFeed, resetKind } from "../work/changes.ts";
import { createAccessDirectory } from "./directory.ts";
import { readPublicKey } from "./public-key.ts";
import { deleteApiKey, insertApiKey } from "./records/api-keys.ts";
import { insertAuthToken } from "./records/auth-tokens.ts";
import { ensureBuiltIns } from "./records/built-in-records.ts";
import {
  type CompartmentRecord,
  deleteCompartment,
  insertCompartment,
  updateCompartment,
} from "./records/compartments.ts";
import { insertDynamicGroup } from "./records/dynamic-groups.ts";
import { insertGroup } from "./records/groups.ts";
import { deleteMembership, insertMembership } from "./records/memberships.ts";
import { deletePolicy, insertPolicy, updatePolicy } from "./records/policies.ts";
import { noTags } from "./records/resource-columns.ts";
import { deleteUser, insertUser, updateUser } from "./records/users.ts";
import { mintToken } from "./tokens/token-text.ts";

/** The machine may be busy. */
const patiently = { timeout: 10_000 };
const creation = { createdBy: "tester", operation: "Test", retryToken: undefined };
const held = (id: string) => ({ id, checkEtag: () => {} });
const key = readPublicKey(newTestKey().publicKey);

const addUser = async ({ recordDeps }: IdentityServer, name: string) =>
  (await insertUser(recordDeps, creation, { name, description: "", email: "", tags: noTags })).record;
const addGroup = async ({ recordDeps }: IdentityServer, name: string) =>
  (await insertGroup(recordDeps, creation, { name, description: "", tags: noTags })).record;
const addPolicy = async (
  { recordDeps }: IdentityServer,
  name: string,
  compartmentId: string,
  ...statements: string[]
) =>
  (
    await insertPolicy(recordDeps, creation, {
      ...{ name, description: "", compartmentId, statements, versionDate: undefined, tags: noTags },
    })
  ).record;
const addCompartment = async ({ recordDeps }: IdentityServer, name: string, parentId = rootId) =>
  (await insertCompartment(recordDeps, creation, { parentId, name, description: "", tags: noTags })).record;

for (const testStore of testStores())
  describe(`the access directory on ${testStore.kind}`, () => {
    it("shows what this node changed before the change is answered", async () => {
      await using server = await startIdentityServer(await testStore.open());
      const { recordDeps } = server;
      const { directory } = server.identity;
      let changes = 0;
      using _listening = directory.onChange(() => {
        changes++;
      });
      const user = await addUser(server, "ada");
      expect(directory.user(user.id)).toMatchObject({ name: "ada", isBlocked: false });
      const group = await addGroup(server, "admins");
      expect([directory.groupNamed("admins")?.id, directory.group(group.id)?.name]).toEqual([group.id, "admins"]);
      const { record } = await insertMembership(recordDeps, creation, { userId: user.id, groupId: group.id });
      expect([...directory.groupsOf(user.id)]).toEqual([group.id]);
      await insertApiKey(recordDeps, creation, { userId: user.id, key });
      const found = directory.apiKey(user.id, key.fingerprint);
      expect(found?.publicKey.export({ type: "spki", format: "pem" })).toBe(key.pem);
      // The same object: reading it takes longer than verifying with it.
      expect(directory.apiKey(user.id, key.fingerprint)?.publicKey).toBe(found?.publicKey);
      const { hash } = mintToken(systemRandom());
      await insertAuthToken(recordDeps, creation, { userId: user.id, description: "", hash });
      expect(directory.token(hash)).toMatchObject({ kind: "auth", userId: user.id });
      const matchingRule = "resource.type = 'fnfunc'";
      const fields = { name: "functions", description: "", matchingRule, tags: noTags };
      const dynamic = (await insertDynamicGroup(recordDeps, creation, fields)).record;
      const fn = { type: "fnfunc", id: "x", compartmentId: rootId, tags: noTags } as const;
      expect(directory.dynamicGroupNamed("functions")?.matches(fn)).toBe(true);
      expect(directory.dynamicGroup(dynamic.id)?.name).toBe("functions");
      const policy = await addPolicy(server, "p", rootId, "Allow group admins to manage fn-app in tenancy");
      const verbs = () =>
        [...directory.policies()].filter(({ id }) => id === policy.id).map((one) => one.statements[0]?.verb);
      expect(verbs()).toEqual(["manage"]);
      const statements = ["Allow group admins to read fn-app in tenancy"];
      await updatePolicy(recordDeps, held(policy.id), (before) => ({ ...before, statements }));
      expect(verbs()).toEqual(["read"]);
      await deletePolicy(recordDeps, held(policy.id));
      expect(verbs()).toEqual([]);
      await deleteApiKey(recordDeps, { userId: user.id, fingerprint: key.fingerprint, checkEtag: () => {} });
      expect(directory.apiKey(user.id, key.fingerprint)).toBeUndefined();
      await insertApiKey(recordDeps, creation, { userId: user.id, key });
      await deleteMembership(recordDeps, held(record.id));
      expect([...directory.groupsOf(user.id)]).toEqual([]);
      await deleteUser(recordDeps, held(user.id));
      expect([
        directory.user(user.id),
        directory.apiKey(user.id, key.fingerprint),
        directory.token(hash),
        await recordDeps.store.db.selectFrom("tokens").select("id").execute(),
      ]).toEqual([undefined, undefined, undefined, []]);
      expect(changes).toBe(13);
    });

    it("knows the way from a compartment to the root, also after it moved", async () => {
      await using server = await startIdentityServer(await testStore.open());
      const { directory } = server.identity;
      const a = await addCompartment(server, "a");
      const b = await addCompartment(server, "b", a.id);
      const c = await addCompartment(server, "c");
      expect(directory.lineage(b.id)).toEqual([b.id, a.id, rootId]);
      expect(directory.lineage(rootId)).toEqual([rootId]);
      expect(directory.lineage("nowhere")).toEqual([]);
      expect(directory.compartmentNamed(a.id, "b")?.id).toBe(b.id);
      await updateCompartment(server.recordDeps, held(a.id), (before) => ({
        ...before,
        parentId: c.id,
        name: "moved",
      }));
      expect(directory.lineage(b.id)).toEqual([b.id, a.id, c.id, rootId]);
      expect([directory.compartmentNamed(rootId, "a"), directory.compartmentNamed(c.id, "moved")?.id]).toEqual([
        undefined,
        a.id,
      ]);
    });

    it("keeps the keys ready that were used last, and reads others again", async () => {
      await using server = await startIdentityServer(await testStore.open());
      const { store } = server.recordDeps;
      const userIds = Array.from({ length: limits.apiKeysReadyMax + 1 }, () => server.recordDeps.newId());
      const resource = { compartment_id: rootId, tags: "{}", etag: "e", version: 1, created_by: "x", cause_id: null };
      const named = { trace_id: null, created_at_ms: 1, updated_at_ms: 1, description: "", email: "" };
      const allowed = { is_blocked: 0, can_use_api_keys: 1, can_use_auth_tokens: 1 };
      const users = userIds.map((id) => ({ id, name: id, ...resource, ...named, ...allowed }));
      const keys = userIds.map((user_id) => ({
        ...{ user_id, fingerprint: key.fingerprint, public_key: key.pem, created_at_ms: 1 },
      }));
      await store.apply([
        { query: store.db.insertInto("users").values(users) },
        { query: store.db.insertInto("api_keys").values(keys) },
      ]);
      using directory = await createAccessDirectory({ ...server.recordDeps, logger: silentLogger() });
      const ready = (userId = "") => directory.apiKey(userId, key.fingerprint)?.publicKey;
      const [first, second] = [ready(userIds[0]), ready(userIds[1])];
      for (const userId of userIds.slice(2, -1)) ready(userId);
      expect(ready(userIds[0])).toBe(first);
      ready(userIds.at(-1));
      expect([ready(userIds[0]) === first, ready(userIds[1]) === second]).toEqual([true, false]);
    });

    it("follows another node, and loads what there is when it starts", async () => {
      await using opened = await testStore.open();
      await using here = await startIdentityServer(await opened.openSecond());
      await using there = await startIdentityServer(await opened.openSecond());
      const user = await addUser(here, "ada");
      await insertApiKey(here.recordDeps, creation, { userId: user.id, key });
      const { directory } = there.identity;
      await vi.waitFor(() => expect(directory.apiKey(user.id, key.fingerprint)).toBeDefined(), patiently);
      await updateUser(here.recordDeps, held(user.id), (before) => ({ ...before, isBlocked: true }));
      await vi.waitFor(() => expect(directory.user(user.id)?.isBlocked).toBe(true), patiently);
      const group = await addGroup(there, "g");
      await insertMembership(there.recordDeps, creation, { userId: user.id, groupId: group.id });
      await vi.waitFor(() => expect([...here.identity.directory.groupsOf(user.id)]).toEqual([group.id]), patiently);
      await using late = await startIdentityServer(await opened.openSecond());
      const loaded = late.identity.directory;
      expect([loaded.user(user.id)?.isBlocked, loaded.groupNamed("g")?.id]).toEqual([true, group.id]);
      expect([...loaded.groupsOf(user.id)]).toEqual([group.id]);
      expect(loaded.apiKey(user.id, key.fingerprint)?.fingerprint).toBe(key.fingerprint);
    });

    it("loads everything again when it missed changes", async () => {
      await using server = await startIdentityServer(await testStore.open());
      const { store } = server.recordDeps;
      const feed = new ScriptedFeed();
      const created = createAccessDirectory({ store, changes: feed, logger: silentLogger(), rootId });
      const user = await addUser(server, "missed");
      using directory = await created;
      await deleteUser(server.recordDeps, held(user.id));
      const other = await addUser(server, "also-missed");
      let changes = 0;
      using _listening = directory.onChange(() => {
        changes++;
      });
      await feed.tell({ seq: 99, kind: "application", id: "x" });
      expect([directory.user(other.id), changes]).toEqual([undefined, 0]);
      await feed.tell({ seq: 100, kind: resetKind, id: "" });
      expect([directory.user(user.id), directory.user(other.id)?.name, changes]).toEqual([undefined, "also-missed", 1]);
    });

    it("gives nothing for a policy that it cannot read, and loads the others", async () => {
      await using server = await startIdentityServer(await testStore.open());
      const { store } = server.recordDeps;
      const policy = await addPolicy(server, "p", rootId, "Allow any-user to read fn-app in tenancy");
      const query = store.db.updateTable("policies").set({ statements: '["Allow what nobody knows"]' });
      await store.apply([{ query: query.where("id", "=", policy.id) }]);
      using directory = await createAccessDirectory({ ...server.recordDeps, logger: silentLogger() });
      const shown = [...directory.policies()].map(({ name, statements }) => [name, statements.length]);
      expect(shown.sort()).toEqual([
        ["Tenant Admin Policy", 1],
        ["p", 0],
      ]);
    });

    it("is born with its group and its policy once, however many nodes start", async () => {
      await using opened = await testStore.open();
      await using here = await startIdentityServer(await opened.openSecond());
      await using there = await startIdentityServer(await opened.openSecond());
      await Promise.all([here, there, here].map(({ recordDeps }) => ensureBuiltIns(recordDeps)));
      const admins = await Promise.all([here, there, here].map(({ identity }) => identity.ensureAdministrator()));
      expect(new Set(admins).size).toBe(1);
      const { db } = opened.store;
      const names = async (table: "users" | "user_groups" | "policies") =>
        (await db.selectFrom(table).select("name").execute()).map(({ name }) => name);
      expect([await names("users"), await names("user_groups"), await names("policies")]).toEqual([
        ["admin"],
        ["Administrators"],
        ["Tenant Admin Policy"],
      ]);
      expect(await db.selectFrom("memberships").select("id").execute()).toHaveLength(1);
    });

    it("lets one of many win who take the same name at the same moment, on whatever node", async () => {
      await using opened = await testStore.open();
      await using here = await startIdentityServer(await opened.openSecond());
      await using there = await startIdentityServer(await opened.openSecond());
      const nodes = [here, there, here, there];
      const won = async (ask: (server: IdentityServer) => Promise<unknown>) =>
        (await Promise.allSettled(nodes.map(ask))).filter(({ status }) => status === "fulfilled").length;
      expect(await won((server) => addUser(server, "ada"))).toBe(1);
      const userId = (await addUser(here, "bob")).id;
      expect(await won(({ recordDeps }) => insertApiKey(recordDeps, creation, { userId, key }))).toBe(1);
      const repeated = { ...creation, retryToken: "t" };
      const fields = { name: "same", description: "", tags: noTags };
      const groups = await Promise.all(nodes.map(({ recordDeps }) => insertGroup(recordDeps, repeated, fields)));
      expect(new Set(groups.map(({ record }) => record.id)).size).toBe(1);
    });

    it("never lets two compartments that are moved at the same moment lie in each other", async () => {
      await using opened = await testStore.open();
      await using here = await startIdentityServer(await opened.openSecond());
      await using there = await startIdentityServer(await opened.openSecond());
      for (let round = 0; round < 5; round++) {
        const a = await addCompartment(here, `a${round}`);
        const b = await addCompartment(there, `b${round}`);
        const into = (server: IdentityServer, moved: CompartmentRecord, parent: CompartmentRecord) =>
          updateCompartment(server.recordDeps, held(moved.id), (before) => ({ ...before, parentId: parent.id }));
        const moves = await Promise.allSettled([into(here, a, b), into(there, b, a)]);
        expect(moves.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      }
    });

    it("makes another thing under a retry token that is 24 h old", async () => {
      await using server = await startIdentityServer(await testStore.open());
      const clock = new ManualClock();
      const deps = { ...server.recordDeps, clock };
      const make = async (name: string) => {
        const fields = { name, description: "", tags: noTags };
        return (await insertGroup(deps, { ...creation, retryToken: "t" }, fields)).record.name;
      };
      expect([await make("first"), await make("second")]).toEqual(["first", "first"]);
      await clock.advance(limits.retryTokenAgeMsMax - 1);
      expect(await make("third")).toBe("first");
      await clock.advance(1);
      expect(await make("fourth")).toBe("fourth");
      expect(await deps.store.db.selectFrom("retry_tokens").select("token").execute()).toHaveLength(1);
    });

    it("deletes no compartment with an application in it", async () => {
      await using server = await startIdentityServer(await testStore.open());
      const { store } = server.recordDeps;
      const { id } = await addCompartment(server, "used");
      const application = {
        ...{ id: "A", compartment_id: id, tags: "{}", etag: "e", version: 1, created_by: "x", cause_id: null },
        ...{ trace_id: null, created_at_ms: 1, updated_at_ms: 1, name: "a", config: "{}", annotations: "{}" },
        ...{ syslog_url: "", shape: "", oci: "{}" },
      };
      await store.apply([{ query: store.db.insertInto("applications").values(application) }]);
      await expect(deleteCompartment(server.recordDeps, held(id))).rejects.toMatchObject({ code: "identity-in-use" });
      expect(server.identity.directory.compartment(id)?.name).toBe("used");
      await store.apply([{ query: store.db.deleteFrom("applications") }]);
      await deleteCompartment(server.recordDeps, held(id));
      expect(server.identity.directory.compartment(id)).toBeUndefined();
    });

    it("never leaves a policy in a compartment that is deleted at the same moment", async () => {
      await using opened = await testStore.open();
      await using here = await startIdentityServer(await opened.openSecond());
      await using there = await startIdentityServer(await opened.openSecond());
      const statement = "Allow any-user to read fn-app in tenancy";
      for (let round = 0; round < 5; round++) {
        const { id } = await addCompartment(here, `c${round}`);
        await Promise.allSettled([
          addPolicy(here, `p${round}`, id, statement),
          deleteCompartment(there.recordDeps, held(id)),
        ]);
      }
      const { db } = opened.store;
      const compartments = db.selectFrom("compartments").select("id");
      const orphans = await db
        .selectFrom("policies")
        .select("name")
        .where("compartment_id", "not in", compartments)
        .execute();
      expect(orphans.map(({ name }) => name)).toEqual(["Tenant Admin Policy"]);
    });
  });

/** A feed that a test tells what to say. */
class ScriptedFeed implements ChangesFeed {
  #listener: (change: Change) => Promise<void> = async () => {};

  async tell(change: Change): Promise<void> {
    await this.#listener(change);
    await turn();
  }

  onChange(listener: (change: Change) => Promise<void>): Disposable {
    this.#listener = listener;
    return { [Symbol.dispose]: () => {} };
  }

  append = () => Promise.reject(new Error("nobody appends here"));
  published = async () => {};
  reached = async () => {};
  start = async () => {};
  [Symbol.asyncDispose] = async () => {};
}
