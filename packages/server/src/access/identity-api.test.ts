import { ocidOf, parseOcid } from "@chaya/contract/oci";
import { type IdentityClient, type models, requests } from "oci-identity";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type IdentityServer, newTestKey, refusal, startIdentityServer, tenancy } from "../testing/identity-server.ts";
import { silenceSdk } from "../testing/oci-clients.ts";
import { testStores } from "../testing/stores.ts";

const [adminsKey, adasKey] = [newTestKey(), newTestKey()];
const notFound = "404 NotAuthorizedOrNotFound";

for (const testStore of testStores())
  describe(`the Identity API for Oracle's client on ${testStore.kind}`, () => {
    let server: IdentityServer;
    let admin: IdentityClient;
    let warnings: Disposable;
    beforeAll(async () => {
      warnings = silenceSdk();
      server = await startIdentityServer(await testStore.open());
      admin = await server.administrator(adminsKey);
    });
    afterAll(async () => {
      await server[Symbol.asyncDispose]();
      warnings[Symbol.dispose]();
    });

    const root = { compartmentId: tenancy };
    const createUser = async (name: string) => {
      const details = { ...root, name, description: `${name} of a test` };
      return (await admin.createUser({ createUserDetails: details })).user;
    };
    const createGroup = async (name: string) =>
      (await admin.createGroup({ createGroupDetails: { ...root, name, description: "" } })).group;
    const createCompartment = async (name: string, compartmentId = tenancy) =>
      (await admin.createCompartment({ createCompartmentDetails: { compartmentId, name, description: "d" } }))
        .compartment;
    const addToGroup = async (userId: string, groupId: string) =>
      (await admin.addUserToGroup({ addUserToGroupDetails: { userId, groupId } })).userGroupMembership;
    const createPolicy = async (name: string, ...statements: string[]) =>
      (await admin.createPolicy({ createPolicyDetails: { ...root, name, description: "d", statements } })).policy;

    it("shows the tenancy, its region and what it was born with", async () => {
      const { tenancy: shown } = await admin.getTenancy({ tenancyId: tenancy });
      expect(shown).toMatchObject({ id: tenancy, homeRegionKey: "IAD", freeformTags: {}, definedTags: {} });
      expect((await admin.listRegions({})).items).toEqual([{ key: "IAD", name: "us-ashburn-1" }]);
      expect((await admin.listRegionSubscriptions({ tenancyId: tenancy })).items).toEqual([
        { regionKey: "IAD", regionName: "us-ashburn-1", status: "READY", isHomeRegion: true },
      ]);
      expect((await admin.listAvailabilityDomains(root)).items).toHaveLength(1);
      expect((await admin.getCompartment(root)).compartment).toMatchObject({ id: tenancy, compartmentId: tenancy });
      const { items: policies } = await admin.listPolicies({ ...root, name: "Tenant Admin Policy" });
      expect(policies.map(({ statements }) => statements)).toEqual([
        ["Allow group Administrators to manage all-resources in tenancy"],
      ]);
      const { items: groups } = await admin.listGroups({ ...root, name: "Administrators" });
      const members = await admin.listUserGroupMemberships({ ...root, groupId: groups[0]?.id ?? "" });
      const { user } = await admin.getUser({ userId: members.items[0]?.userId ?? "" });
      expect(user.name).toBe("admin");
      for (const request of [
        () => admin.deleteGroup({ groupId: groups[0]?.id ?? "" }),
        () => admin.deletePolicy({ policyId: policies[0]?.id ?? "" }),
        () => admin.updatePolicy({ policyId: policies[0]?.id ?? "", updatePolicyDetails: { description: "mine" } }),
        () => admin.deleteCompartment(root),
      ])
        expect(await refusal(request())).toBe("409 Conflict");
    });

    it("keeps what is given of a user, and changes only that", async () => {
      const freeformTags = { team: "blue" };
      const definedTags = { Operations: { CostCenter: "42" } };
      const made = await admin.createUser({
        createUserDetails: {
          ...root,
          name: "ada@example.org",
          description: "Ada",
          email: "ada@example.org",
          freeformTags,
        },
      });
      expect(made.user).toMatchObject({
        ...{ ...root, name: "ada@example.org", description: "Ada", email: "ada@example.org", freeformTags },
        ...{ definedTags: {}, lifecycleState: "ACTIVE", isMfaActivated: false },
        capabilities: { canUseApiKeys: true, canUseAuthTokens: true, canUseConsolePassword: false },
      });
      expect(parseOcid(made.user.id)?.type).toBe("user");
      expect(String(made.user.timeCreated)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      const userId = made.user.id;
      const updateUserDetails = { description: "Ada L.", definedTags };
      const changed = await admin.updateUser({ userId, updateUserDetails, ifMatch: made.etag });
      expect(changed.user).toMatchObject({
        description: "Ada L.",
        email: "ada@example.org",
        freeformTags,
        definedTags,
      });
      expect(changed.etag).not.toBe(made.etag);
      const read = await admin.getUser({ userId });
      expect([read.user, read.etag]).toEqual([changed.user, changed.etag]);
      // Nothing new is no change.
      expect((await admin.updateUser({ userId, updateUserDetails })).etag).toBe(changed.etag);
      expect(await refusal(admin.updateUser({ userId, updateUserDetails, ifMatch: made.etag }))).toBe(
        "412 NoEtagMatch",
      );
      expect(await refusal(admin.deleteUser({ userId, ifMatch: made.etag }))).toBe("412 NoEtagMatch");
      await admin.deleteUser({ userId, ifMatch: changed.etag });
      expect(await refusal(admin.getUser({ userId }))).toBe(notFound);
      expect(await refusal(admin.deleteUser({ userId }))).toBe(notFound);
    });

    it("refuses names that are taken or are none, and what a user cannot be", async () => {
      await createUser("bob");
      expect(await refusal(createUser("bob"))).toBe("409 UserAlreadyExists");
      const withEmail = (name: string) =>
        admin.createUser({ createUserDetails: { ...root, name, description: "", email: "same@example.org" } });
      await withEmail("first");
      expect(await refusal(withEmail("second"))).toBe("409 UserAlreadyExists");
      for (const name of ["", "a b", "a/b", "ä", "a".repeat(101), "a\0", "..\n"])
        expect(await refusal(createUser(name)), JSON.stringify(name)).toBe("400 InvalidParameter");
      const { compartmentId } = await createCompartment("not-the-root").then(({ id }) => ({ compartmentId: id }));
      const elsewhere = admin.createUser({ createUserDetails: { compartmentId, name: "eve", description: "" } });
      expect(await refusal(elsewhere)).toBe("400 InvalidParameter");
      await createGroup("shared");
      const dynamic = { ...root, name: "shared", description: "", matchingRule: "resource.type = 'fnfunc'" };
      expect(await refusal(admin.createDynamicGroup({ createDynamicGroupDetails: dynamic }))).toBe(
        "409 GroupAlreadyExists",
      );
      expect(await refusal(createGroup("shared"))).toBe("409 GroupAlreadyExists");
      const missing = Object.assign({}, { ...root, name: "nobody" });
      // @ts-expect-error the description is missing
      expect(await refusal(admin.createUser({ createUserDetails: missing }))).toBe("400 MissingParameter");
    });

    it("pages through lists in either order, none twice and none left out", async () => {
      for (const name of ["p3", "p1", "p5", "p2", "p4"]) await createGroup(name);
      const all = async (order: Partial<requests.ListGroupsRequest>) => {
        const names: string[] = [];
        for (let page: string | undefined; ; ) {
          const answer = await admin.listGroups({ ...root, limit: 2, ...order, ...(page && { page }) });
          expect(answer.items.length).toBeLessThanOrEqual(2);
          names.push(...answer.items.map(({ name }) => name).filter((name) => /^p\d$/.test(name)));
          if (!answer.opcNextPage) return names;
          page = answer.opcNextPage;
        }
      };
      const { SortBy, SortOrder } = requests.ListGroupsRequest;
      expect(await all({})).toEqual(["p1", "p2", "p3", "p4", "p5"]);
      expect(await all({ sortOrder: SortOrder.Desc })).toEqual(["p5", "p4", "p3", "p2", "p1"]);
      expect(await all({ sortBy: SortBy.Timecreated })).toEqual(["p4", "p2", "p5", "p1", "p3"]);
      expect(await all({ sortBy: SortBy.Timecreated, sortOrder: SortOrder.Asc })).toEqual([
        "p3",
        "p1",
        "p5",
        "p2",
        "p4",
      ]);
      expect((await admin.listGroups({ ...root, name: "p3" })).items.map(({ name }) => name)).toEqual(["p3"]);
      expect((await admin.listGroups({ ...root, lifecycleState: "deleted" })).items).toEqual([]);
      expect((await admin.listGroups({ ...root, name: "p3", lifecycleState: "active" })).items).toHaveLength(1);
      for (const page of ["x", "W10", "WzEsMl0", Buffer.from('["a","b"]').toString("base64url")])
        expect(await refusal(admin.listGroups({ ...root, page })), page).toBe("400 InvalidParameter");
      expect(await refusal(admin.listGroups({ ...root, limit: 0 }))).toBe("400 InvalidParameter");
      expect(await refusal(admin.listGroups({ ...root, limit: 100_000 }))).toBe("400 InvalidParameter");
    });

    it("gives a repeated request what the first one made, as long as it is there", async () => {
      const ask = (opcRetryToken: string, name: string) =>
        admin.createUser({ createUserDetails: { ...root, name, description: "" }, opcRetryToken });
      const first = await ask("same", "once");
      const again = await ask("same", "once");
      expect([again.user, again.etag]).toEqual([first.user, first.etag]);
      expect(await refusal(ask("other", "once"))).toBe("409 UserAlreadyExists");
      // A token counts for one operation.
      const group = { ...root, name: "once-group", description: "" };
      await admin.createGroup({ createGroupDetails: group, opcRetryToken: "same" });
      await admin.deleteUser({ userId: first.user.id });
      expect(await refusal(ask("same", "once"))).toBe("409 InvalidatedRetryToken");
      const { id: userId } = await createUser("repeats");
      const token = (opcRetryToken: string) =>
        admin.createAuthToken({ userId, createAuthTokenDetails: { description: "t" }, opcRetryToken });
      const [one, two] = [await token("t"), await token("t")];
      expect(two.authToken.id).toBe(one.authToken.id);
      expect((await admin.listAuthTokens({ userId })).items).toHaveLength(1);
      const known = (text: string | undefined) => bearerIsKnown(server, text ?? "");
      expect([await known(one.authToken.token), await known(two.authToken.token)]).toEqual([false, true]);
    });

    it("keeps the tree of compartments a tree", async () => {
      const a = await createCompartment("a");
      const b = await createCompartment("b", a.id);
      expect(b).toMatchObject({ compartmentId: a.id, name: "b", lifecycleState: "ACTIVE", isAccessible: true });
      expect(await refusal(createCompartment("b", a.id))).toBe("409 CompartmentAlreadyExists");
      // The same name in another compartment is another compartment.
      await createCompartment("b", b.id);
      const move = (compartmentId: string, targetCompartmentId: string) =>
        admin.moveCompartment({ compartmentId, moveCompartmentDetails: { targetCompartmentId } });
      expect(await refusal(move(a.id, b.id))).toBe("409 Conflict");
      expect(await refusal(move(a.id, a.id))).toBe("409 Conflict");
      expect(await refusal(move(a.id, ocidOf("compartment", "01JZZZZZZZZZZZZZZZZZZZZZZZ", "")))).toBe(notFound);
      let deepest = b.id;
      for (const name of ["c", "d", "e", "f"]) deepest = (await createCompartment(name, deepest)).id;
      expect(await refusal(createCompartment("g", deepest))).toBe("409 Conflict");
      const other = await createCompartment("other");
      expect(await refusal(move(a.id, other.id))).toBe("409 Conflict");
      await move(other.id, a.id);
      expect((await admin.getCompartment({ compartmentId: other.id })).compartment.compartmentId).toBe(a.id);
      const listed = async (request: Partial<requests.ListCompartmentsRequest>) =>
        (await admin.listCompartments({ ...root, ...request })).items.map(({ name }) => name);
      expect(await listed({ compartmentId: a.id })).toEqual(["b", "other"]);
      const everything = await listed({ compartmentIdInSubtree: true });
      expect(everything).toEqual(expect.arrayContaining(["a", "b", "c", "d", "e", "f", "other"]));
      expect(everything).not.toContain("chaya");
      expect(await refusal(admin.listCompartments({ compartmentId: a.id, compartmentIdInSubtree: true }))).toBe(
        "400 InvalidParameter",
      );
      expect(await refusal(admin.deleteCompartment({ compartmentId: a.id }))).toBe("409 Conflict");
      await admin.updateCompartment({ compartmentId: a.id, updateCompartmentDetails: { name: "renamed" } });
      expect((await admin.getCompartment({ compartmentId: a.id })).compartment).toMatchObject({ name: "renamed" });
      await admin.deleteCompartment({ compartmentId: other.id });
      expect(await refusal(admin.getCompartment({ compartmentId: other.id }))).toBe(notFound);
    });

    it("deletes no compartment that a policy lies in, and lists policies where they lie", async () => {
      const { id: compartmentId } = await createCompartment("ruled");
      const statements = ["Allow any-user to inspect fn-app in compartment ruled"];
      const made = await admin.createPolicy({
        createPolicyDetails: {
          ...{
            compartmentId,
            name: "ruling",
            description: "d",
            statements,
            versionDate: new Date("2026-11-24T00:00:00Z"),
          },
        },
      });
      expect(made.policy).toMatchObject({ compartmentId, statements });
      expect(String(made.policy.versionDate)).toBe("2026-11-24");
      const policyId = made.policy.id;
      expect((await admin.listPolicies({ compartmentId })).items.map(({ id }) => id)).toEqual([policyId]);
      expect((await admin.listPolicies(root)).items.map(({ id }) => id)).not.toContain(policyId);
      expect(await refusal(admin.deleteCompartment({ compartmentId }))).toBe("409 Conflict");
      expect(await refusal(createPolicy("ruling", ...statements))).toBe("409 PolicyAlreadyExists");
      expect(await refusal(createPolicy("wrong", "Permit everybody everything"))).toBe("400 InvalidParameter");
      const wrong = { policyId, updatePolicyDetails: { statements: ["Allow nobody"] } };
      expect(await refusal(admin.updatePolicy(wrong))).toBe("400 InvalidParameter");
      expect((await admin.getPolicy({ policyId })).policy.statements).toEqual(statements);
      await admin.deletePolicy({ policyId });
      await admin.deleteCompartment({ compartmentId });
    });

    it("has dynamic groups by a rule that it can read", async () => {
      const details = { ...root, name: "functions", description: "", matchingRule: "resource.type = 'fnfunc'" };
      const { dynamicGroup, etag } = await admin.createDynamicGroup({ createDynamicGroupDetails: details });
      expect(dynamicGroup).toMatchObject(details);
      const dynamicGroupId = dynamicGroup.id;
      const change = (matchingRule: string) =>
        admin.updateDynamicGroup({ dynamicGroupId, updateDynamicGroupDetails: { matchingRule }, ifMatch: etag });
      expect(await refusal(change("anything goes"))).toBe("400 InvalidParameter");
      const narrow = `resource.compartment.id = '${tenancy}'`;
      await change(narrow);
      expect((await admin.getDynamicGroup({ dynamicGroupId })).dynamicGroup.matchingRule).toBe(narrow);
      expect(await refusal(change(narrow))).toBe("412 NoEtagMatch");
      expect((await admin.listDynamicGroups(root)).items.map(({ name }) => name)).toEqual(["functions"]);
      await admin.deleteDynamicGroup({ dynamicGroupId });
      expect(await refusal(admin.getDynamicGroup({ dynamicGroupId }))).toBe(notFound);
    });

    it("puts users into groups and takes them out", async () => {
      const [user, group] = [await createUser("member"), await createGroup("members")];
      const membership = await addToGroup(user.id, group.id);
      expect(membership).toMatchObject({ userId: user.id, groupId: group.id, ...root });
      expect(await refusal(addToGroup(user.id, group.id))).toBe("409 Conflict");
      expect(await refusal(addToGroup(user.id, user.id))).toBe(notFound);
      expect(await refusal(admin.deleteUser({ userId: user.id }))).toBe("409 Conflict");
      expect(await refusal(admin.deleteGroup({ groupId: group.id }))).toBe("409 Conflict");
      const userGroupMembershipId = membership.id;
      const read = await admin.getUserGroupMembership({ userGroupMembershipId });
      expect(read.userGroupMembership).toEqual(membership);
      expect((await admin.listUserGroupMemberships({ ...root, userId: user.id })).items).toEqual([membership]);
      expect(await refusal(admin.removeUserFromGroup({ userGroupMembershipId, ifMatch: "other" }))).toBe(
        "412 NoEtagMatch",
      );
      await admin.removeUserFromGroup({ userGroupMembershipId, ifMatch: read.etag });
      await admin.deleteUser({ userId: user.id });
      await admin.deleteGroup({ groupId: group.id });
    });

    it("takes RSA public keys only, three of a user, and their signatures from then on", async () => {
      const { id: userId } = await createUser("signer");
      const upload = (key: string) => admin.uploadApiKey({ userId, createApiKeyDetails: { key } });
      expect(await refusal(upload(adasKey.privateKey))).toBe("400 InvalidParameter");
      expect(await refusal(upload("ssh-rsa AAAA"))).toBe("400 InvalidParameter");
      const { apiKey, etag } = await upload(adasKey.publicKey);
      expect(apiKey.keyId).toBe(`${tenancy}/${userId}/${apiKey.fingerprint}`);
      expect(apiKey.keyValue).toContain("BEGIN PUBLIC KEY");
      expect(await refusal(upload(adasKey.publicKey))).toBe("409 ApiKeyAlreadyExists");
      const ada = await server.clientOf(parseOcid(userId)?.id ?? "", adasKey);
      expect((await ada.getUser({ userId })).user.name).toBe("signer");
      for (const key of [newTestKey(), newTestKey()]) await upload(key.publicKey);
      expect(await refusal(upload(newTestKey().publicKey))).toBe("400 LimitExceeded");
      expect((await admin.listApiKeys({ userId })).items).toHaveLength(3);
      const fingerprint = apiKey.fingerprint ?? "";
      expect(await refusal(admin.deleteApiKey({ userId, fingerprint, ifMatch: "other" }))).toBe("412 NoEtagMatch");
      await admin.deleteApiKey({ userId, fingerprint, ifMatch: etag });
      expect(await refusal(ada.getUser({ userId }))).toBe("401 NotAuthenticated");
      expect(await refusal(admin.deleteApiKey({ userId, fingerprint }))).toBe(notFound);
      expect(await refusal(admin.deleteApiKey({ userId, fingerprint: "%00" }))).toBe(notFound);
    });

    it("shows the value of an auth token once, and takes it until it is deleted", async () => {
      const { id: userId } = await createUser("bearer");
      const made = await admin.createAuthToken({ userId, createAuthTokenDetails: { description: "for CI" } });
      const text = made.authToken.token ?? "";
      expect(text).toMatch(/^chaya_/);
      expect(await bearerIsKnown(server, text)).toBe(true);
      const authTokenId = made.authToken.id ?? "";
      const [listed] = (await admin.listAuthTokens({ userId })).items;
      expect(listed).toEqual({ ...made.authToken, token: undefined });
      const update = { userId, authTokenId, updateAuthTokenDetails: { description: "for CD" }, ifMatch: made.etag };
      const updated = await admin.updateAuthToken(update);
      expect(updated.authToken).toMatchObject({ id: authTokenId, description: "for CD" });
      expect(updated.authToken.token).toBeUndefined();
      expect(await refusal(admin.updateAuthToken(update))).toBe("412 NoEtagMatch");
      const { id: other } = await createUser("no-bearer");
      expect(await refusal(admin.deleteAuthToken({ userId: other, authTokenId }))).toBe(notFound);
      await admin.deleteAuthToken({ userId, authTokenId });
      expect(await bearerIsKnown(server, text)).toBe(false);
    });

    it("refuses a blocked user's credentials at once, and those a user may not have", async () => {
      const { id: userId } = await createUser("blocked");
      const user = await server.clientOf(parseOcid(userId)?.id ?? "", adasKey);
      const { authToken } = await user.createAuthToken({ userId, createAuthTokenDetails: { description: "" } });
      const state = (blocked: boolean) => admin.updateUserState({ userId, updateStateDetails: { blocked } });
      expect((await state(true)).user).toMatchObject({ lifecycleState: "INACTIVE", inactiveStatus: 4 });
      const inactive = async (lifecycleState: string) =>
        (await admin.listUsers({ ...root, lifecycleState })).items.some(({ id }) => id === userId);
      expect([await inactive("INACTIVE"), await inactive("ACTIVE")]).toEqual([true, false]);
      expect(await refusal(user.getUser({ userId }))).toBe("401 NotAuthenticated");
      expect(await bearerIsKnown(server, authToken.token ?? "")).toBe(false);
      await state(false);
      expect((await user.getUser({ userId })).user.lifecycleState).toBe("ACTIVE");
      const may = (updateUserCapabilitiesDetails: models.UpdateUserCapabilitiesDetails) =>
        admin.updateUserCapabilities({ userId, updateUserCapabilitiesDetails });
      const { capabilities } = (await may({ canUseApiKeys: false })).user;
      expect(capabilities).toMatchObject({ canUseApiKeys: false, canUseAuthTokens: true });
      expect(await refusal(user.getUser({ userId }))).toBe("401 NotAuthenticated");
      expect(await bearerIsKnown(server, authToken.token ?? "")).toBe(true);
      await may({ canUseAuthTokens: false, canUseSmtpCredentials: false });
      expect(await bearerIsKnown(server, authToken.token ?? "")).toBe(false);
      expect(await refusal(may({ canUseSmtpCredentials: true }))).toBe("400 InvalidParameter");
    });

    it("lets users see and keep their own credentials, and nothing else without a policy", async () => {
      const { id: userId } = await createUser("alone");
      const { id: otherId } = await createUser("someone");
      const alone = await server.clientOf(parseOcid(userId)?.id ?? "", adasKey);
      expect((await alone.getUser({ userId })).user.name).toBe("alone");
      const { apiKey } = await alone.uploadApiKey({ userId, createApiKeyDetails: { key: adminsKey.publicKey } });
      expect((await alone.listApiKeys({ userId })).items).toHaveLength(2);
      await alone.deleteApiKey({ userId, fingerprint: apiKey.fingerprint ?? "" });
      await alone.createAuthToken({ userId, createAuthTokenDetails: { description: "" } });
      for (const request of [
        () => alone.getUser({ userId: otherId }),
        () => alone.listApiKeys({ userId: otherId }),
        () => alone.uploadApiKey({ userId: otherId, createApiKeyDetails: { key: adasKey.publicKey } }),
        () => alone.createAuthToken({ userId: otherId, createAuthTokenDetails: { description: "" } }),
        () => alone.updateUser({ userId, updateUserDetails: { description: "admin" } }),
        () => alone.updateUserState({ userId, updateStateDetails: { blocked: false } }),
        () => alone.deleteUser({ userId }),
        () => alone.listUsers(root),
        () => alone.getTenancy({ tenancyId: tenancy }),
        () => alone.listUserGroupMemberships({ ...root, userId }),
      ])
        expect(await refusal(request())).toBe(notFound);
    });

    it("asks of who fills a group for the right on the group and on the user", async () => {
      const { id: userId } = await createUser("half");
      const helpers = await createGroup("helpers");
      const filled = await createGroup("filled");
      await addToGroup(userId, helpers.id);
      const helper = await server.clientOf(parseOcid(userId)?.id ?? "", adasKey);
      const add = () => helper.addUserToGroup({ addUserToGroupDetails: { userId, groupId: filled.id } });
      await createPolicy(
        "half-a-right",
        "Allow group helpers to use groups in tenancy where target.group.name = 'filled'",
      );
      expect(await refusal(add())).toBe(notFound);
      await createPolicy("the-other-half", "Allow group helpers to use users in tenancy");
      await add();
      const administrators = (await admin.listGroups({ ...root, name: "Administrators" })).items[0]?.id ?? "";
      const climb = helper.addUserToGroup({ addUserToGroupDetails: { userId, groupId: administrators } });
      expect(await refusal(climb)).toBe(notFound);
    });

    it("has nothing where OCI has what this platform has not", async () => {
      expect(await refusal(admin.listDomains(root))).toBe("404 NotFound");
      expect(await refusal(admin.listTagNamespaces(root))).toBe("404 NotFound");
      const { id: userId } = await createUser("without-password");
      expect(await refusal(admin.createOrResetUIPassword({ userId }))).toBe("404 NotFound");
    });

    it("shows of the compartments what the asker may inspect, and what that lies in", async () => {
      const outer = await createCompartment("outer");
      const inner = await createCompartment("inner", outer.id);
      const { id: userId } = await createUser("inspector");
      const group = await createGroup("inspectors");
      await addToGroup(userId, group.id);
      await createPolicy("inspecting", "Allow group inspectors to manage compartments in compartment outer:inner");
      const inspector = await server.clientOf(parseOcid(userId)?.id ?? "", adasKey);
      const { AccessLevel } = requests.ListCompartmentsRequest;
      const request = { ...root, accessLevel: AccessLevel.Accessible, compartmentIdInSubtree: true };
      const { items } = await inspector.listCompartments(request);
      expect(items.map(({ name }) => name)).toEqual(["inner", "outer"]);
      expect(await refusal(inspector.listCompartments(root))).toBe(notFound);
      expect(await refusal(inspector.getCompartment({ compartmentId: outer.id }))).toBe(notFound);
      expect((await inspector.getCompartment({ compartmentId: inner.id })).compartment.name).toBe("inner");
      const details = { compartmentId: inner.id, name: "innermost", description: "" };
      const innermost = (await inspector.createCompartment({ createCompartmentDetails: details })).compartment.id;
      // Its place is the outer one, where there is no right.
      expect(await refusal(inspector.deleteCompartment({ compartmentId: inner.id }))).toBe(notFound);
      const away = { compartmentId: innermost, moveCompartmentDetails: { targetCompartmentId: outer.id } };
      expect(await refusal(inspector.moveCompartment(away))).toBe(notFound);
      await inspector.deleteCompartment({ compartmentId: innermost });
    });
  });

/** Whether a bearer token is anybody's: what there is to see of it is that the answer is not 401. */
async function bearerIsKnown(server: IdentityServer, token: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` };
  const { status } = await fetch(`http://127.0.0.1:${server.port}/20160918/regions`, { headers });
  return status !== 401;
}
