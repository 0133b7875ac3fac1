import { ocidOf } from "@chaya/contract/oci";
import type { FunctionsManagementClient } from "oci-functions";
import { beforeEach, describe, expect, it } from "vitest";
import { askJson, create } from "../../testing/function-records-server.ts";
import {
  branch,
  branchId,
  goneId,
  hidden,
  missingId,
  refused,
  root,
  rootId,
  serveOciFunctions,
} from "../../testing/oci-functions-server.ts";
import { testStores } from "../../testing/stores.ts";

const subnetIds = ["ocid1.subnet.oc1..any"];

for (const testStore of testStores())
  describe(`OCI Functions through Oracle's SDK on ${testStore.kind}`, () => {
    const served = serveOciFunctions(testStore);
    let made = 0;
    const client = () => served.clients().management;
    const newName = () => `name-${++made}`;
    const newApplication = async (given: object = {}) =>
      (
        await client().createApplication({
          createApplicationDetails: { compartmentId: root, displayName: newName(), subnetIds, ...given },
        })
      ).application;
    const newFunction = async (applicationId: string, given: object = {}) =>
      (
        await client().createFunction({
          createFunctionDetails: { applicationId, displayName: newName(), memoryInMBs: 256, image: "i:1", ...given },
        })
      ).function;
    beforeEach(() => {
      served.allowOnly(rootId, branchId);
    });

    it("makes an application and shows it whole", async () => {
      const displayName = newName();
      const createApplicationDetails = {
        ...{ compartmentId: root, displayName, subnetIds, config: { A: "1" }, syslogUrl: "tcp://logs.example:514" },
        ...{ freeformTags: { team: "red" }, definedTags: { ops: { cost: 42 } }, networkSecurityGroupIds: ["nsg"] },
        traceConfig: { isEnabled: true, domainId: "d" },
      };
      const { application, etag, opcRequestId } = await client().createApplication({
        createApplicationDetails,
        opcRequestId: "from-the-client",
      });
      expect(application).toMatchObject({
        ...createApplicationDetails,
        lifecycleState: "ACTIVE",
        shape: "GENERIC_X86",
        id: expect.stringMatching(/^ocid1\.fnapp\.oc1\.us-ashburn-1\.aaaaaaaa[0-9a-z]{26}a{26}$/),
      });
      expect(application.timeCreated).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(opcRequestId).toBe("from-the-client");
      const read = await client().getApplication({ applicationId: application.id });
      expect(read.application).toEqual(application);
      expect(read.etag).toBe(etag);
    });

    it("makes a function and shows it whole", async () => {
      const { id: applicationId } = await newApplication({ shape: "GENERIC_ARM" });
      const given = {
        ...{ config: { B: "2" }, timeoutInSeconds: 60, detachedModeTimeoutInSeconds: 900, freeformTags: { a: "b" } },
        provisionedConcurrencyConfig: { strategy: "CONSTANT", count: 20 },
        successDestination: { kind: "STREAM", streamId: "s" },
        traceConfig: { isEnabled: true },
        imageDigest: `sha256:${"0".repeat(64)}`,
      };
      const made = await newFunction(applicationId, given);
      expect(made).toMatchObject({
        ...given,
        ...{ applicationId, compartmentId: root, image: "i:1", memoryInMBs: 256, lifecycleState: "ACTIVE" },
        ...{ shape: "GENERIC_ARM", failureDestination: { kind: "NONE" }, definedTags: {} },
        invokeEndpoint: "https://fn.example.org",
      });
      expect((await client().getFunction({ functionId: made.id })).function).toEqual(made);
    });

    it("gives what was left out the value it has", async () => {
      const { id: applicationId, ...application } = await newApplication();
      expect(application).toMatchObject({
        config: {},
        freeformTags: {},
        definedTags: {},
        traceConfig: { isEnabled: false },
      });
      const made = await newFunction(applicationId);
      expect(made).toMatchObject({
        ...{ config: {}, timeoutInSeconds: 30, detachedModeTimeoutInSeconds: 30, traceConfig: { isEnabled: false } },
        ...{ provisionedConcurrencyConfig: { strategy: "NONE" }, successDestination: { kind: "NONE" } },
      });
      expect(made).not.toHaveProperty("imageDigest");
    });

    it("replaces a configuration as a whole and leaves alone what is not given", async () => {
      const { id: applicationId } = await newApplication({ config: { A: "1", B: "2" }, freeformTags: { t: "1" } });
      const updateApplicationDetails = { config: { B: "3" } };
      const { application } = await client().updateApplication({ applicationId, updateApplicationDetails });
      expect(application).toMatchObject({ config: { B: "3" }, freeformTags: { t: "1" }, subnetIds });
      const { id: functionId } = await newFunction(applicationId, {
        ...{ config: { A: "1" }, timeoutInSeconds: 9, detachedModeTimeoutInSeconds: 99 },
        provisionedConcurrencyConfig: { strategy: "CONSTANT", count: 10 },
      });
      const changed = await client().updateFunction({
        functionId,
        updateFunctionDetails: { image: "i:2", provisionedConcurrencyConfig: { strategy: "NONE" } } as never,
      });
      expect(changed.function).toMatchObject({
        ...{ image: "i:2", config: { A: "1" }, timeoutInSeconds: 9, detachedModeTimeoutInSeconds: 99 },
        provisionedConcurrencyConfig: { strategy: "NONE" },
      });
      const emptied = await client().updateFunction({ functionId, updateFunctionDetails: { config: {} } });
      expect(emptied.function).toMatchObject({ config: {}, image: "i:2" });
    });

    it("forgets the digest of an image when another image is put on the function", async () => {
      const { id: applicationId } = await newApplication();
      const imageDigest = `sha256:${"1".repeat(64)}`;
      const { id: functionId } = await newFunction(applicationId, { imageDigest });
      const changed = await client().updateFunction({ functionId, updateFunctionDetails: { image: "i:2" } });
      expect(changed.function).not.toHaveProperty("imageDigest");
      const bundle = `bundle/a/f:sha256-${"2".repeat(64)}`;
      const bundled = await client().updateFunction({ functionId, updateFunctionDetails: { image: bundle } });
      expect(bundled.function.imageDigest).toBe(`sha256:${"2".repeat(64)}`);
      const wrong = () =>
        client().updateFunction({ functionId, updateFunctionDetails: { image: bundle, imageDigest } });
      expect(await refused(wrong)).toMatchObject({ statusCode: 400, serviceCode: "InvalidParameter" });
    });

    it("changes and deletes only what still has the etag that was read", async () => {
      const { id: applicationId } = await newApplication();
      const { etag } = await client().getApplication({ applicationId });
      const updateApplicationDetails = { config: { A: "1" } };
      const changed = await client().updateApplication({ applicationId, updateApplicationDetails, ifMatch: etag });
      expect(changed.etag).not.toBe(etag);
      const same = await client().updateApplication({ applicationId, updateApplicationDetails });
      expect(same.etag).toBe(changed.etag);
      const { id: functionId } = await newFunction(applicationId);
      const changeApplicationCompartmentDetails = { compartmentId: branch };
      for (const stale of [
        () => client().updateApplication({ applicationId, updateApplicationDetails: {}, ifMatch: etag }),
        () => client().deleteApplication({ applicationId, ifMatch: etag }),
        () =>
          client().changeApplicationCompartment({ applicationId, changeApplicationCompartmentDetails, ifMatch: etag }),
        () => client().updateFunction({ functionId, updateFunctionDetails: { memoryInMBs: 512 }, ifMatch: etag }),
        () => client().deleteFunction({ functionId, ifMatch: etag }),
      ])
        expect(await refused(stale)).toMatchObject({ statusCode: 412, serviceCode: "NoEtagMatch" });
      expect((await client().getFunction({ functionId })).function.memoryInMBs).toBe(256);
    });

    it("keeps an application that has functions", async () => {
      const { id: applicationId } = await newApplication();
      const { id: functionId } = await newFunction(applicationId);
      expect(await refused(() => client().deleteApplication({ applicationId }))).toMatchObject({
        statusCode: 409,
        serviceCode: "Conflict",
      });
      await client().deleteFunction({ functionId });
      await client().deleteApplication({ applicationId });
      for (const gone of [() => client().getApplication({ applicationId }), () => client().getFunction({ functionId })])
        expect(await refused(gone)).toMatchObject(hidden);
    });

    it("refuses a second of the same name, wherever the first lies", async () => {
      const { id: applicationId, displayName } = await newApplication();
      const exists = { statusCode: 409, serviceCode: "NotAuthorizedOrResourceAlreadyExists" };
      expect(await refused(() => newApplication({ displayName }))).toMatchObject(exists);
      expect(await refused(() => newApplication({ displayName, compartmentId: branch }))).toMatchObject(exists);
      const made = await newFunction(applicationId);
      expect(await refused(() => newFunction(applicationId, { displayName: made.displayName }))).toMatchObject(exists);
      const { id: otherId } = await newApplication();
      expect((await newFunction(otherId, { displayName: made.displayName })).displayName).toBe(made.displayName);
    });

    it("moves an application with its functions", async () => {
      const { id: applicationId } = await newApplication();
      const { id: functionId } = await newFunction(applicationId);
      const before = (await client().getFunction({ functionId })).etag;
      await client().changeApplicationCompartment({
        applicationId,
        changeApplicationCompartmentDetails: { compartmentId: branch },
      });
      expect((await client().getApplication({ applicationId })).application.compartmentId).toBe(branch);
      const moved = await client().getFunction({ functionId });
      expect(moved.function.compartmentId).toBe(branch);
      expect(moved.etag).not.toBe(before);
      served.allowOnly(rootId);
      expect(await refused(() => client().getFunction({ functionId }))).toMatchObject(hidden);
      served.allowOnly(branchId);
      const back = { applicationId, changeApplicationCompartmentDetails: { compartmentId: root } };
      expect(await refused(() => client().changeApplicationCompartment(back))).toMatchObject(hidden);
      expect((await newFunction(applicationId)).compartmentId).toBe(branch);
    });

    it("hides what the principal may not see as what is not there", async () => {
      const { id: applicationId } = await newApplication();
      const { id: functionId } = await newFunction(applicationId);
      served.allowOnly();
      const absent = ocidOf("fnapp", missingId, "us-ashburn-1");
      for (const denied of [
        () => client().getApplication({ applicationId }),
        () => client().getApplication({ applicationId: absent }),
        () => client().getApplication({ applicationId: functionId }),
        () => client().getFunction({ functionId }),
        () => client().listFunctions({ applicationId }),
        () => client().listApplications({ compartmentId: root }),
        () => newApplication(),
        () => newFunction(applicationId),
      ])
        expect(await refused(denied)).toMatchObject(hidden);
    });

    it("knows no compartments that do not exist", async () => {
      const compartmentId = ocidOf("compartment", missingId, "");
      for (const denied of [
        () => newApplication({ compartmentId }),
        () => newApplication({ compartmentId: "ocid1.compartment.oc1..someotherplatform" }),
        () => client().listApplications({ compartmentId }),
      ])
        expect(await refused(denied)).toMatchObject(hidden);
    });

    it("puts nothing into a compartment that was deleted a moment ago", async () => {
      served.allowOnly(rootId, goneId);
      const compartmentId = ocidOf("compartment", goneId, "");
      const { id: applicationId } = await newApplication();
      const move = { applicationId, changeApplicationCompartmentDetails: { compartmentId } };
      for (const denied of [() => newApplication({ compartmentId }), () => client().changeApplicationCompartment(move)])
        expect(await refused(denied)).toMatchObject(hidden);
      expect((await client().getApplication({ applicationId })).application.compartmentId).toBe(root);
    });

    it("lists in every order, page by page, without a last empty page", async () => {
      const { id: applicationId } = await newApplication({ compartmentId: branch });
      const names = ["cherry", "apple", "banana"];
      for (const displayName of names) {
        await served.server().clock.advance(1_000);
        await newFunction(applicationId, { displayName });
      }
      const list = (given: object) => listed(client(), { applicationId, limit: 2, ...given });
      expect(await list({})).toEqual([["apple", "banana"], ["cherry"]]);
      expect(await list({ sortBy: "timeCreated" })).toEqual([["cherry", "apple"], ["banana"]]);
      expect(await list({ sortBy: "timeCreated", sortOrder: "DESC" })).toEqual([["banana", "apple"], ["cherry"]]);
      expect(await list({ sortBy: "id", sortOrder: "ASC" })).toEqual([["cherry", "apple"], ["banana"]]);
      expect(await list({ limit: 3 })).toEqual([["apple", "banana", "cherry"]]);
      expect(await list({ displayName: "apple" })).toEqual([["apple"]]);
      expect(await list({ displayName: "app" })).toEqual([[]]);
      expect(await list({ lifecycleState: "ACTIVE" })).toEqual([["apple", "banana"], ["cherry"]]);
      expect(await list({ lifecycleState: "DELETED" })).toEqual([[]]);
      const { items } = await client().listFunctions({ applicationId, displayName: "banana" });
      expect(await list({ id: items[0]?.id })).toEqual([["banana"]]);
      expect(items[0]).not.toHaveProperty("config");
      const applications = await client().listApplications({ compartmentId: branch });
      expect(applications.items.map(({ id }) => id)).toContain(applicationId);
      expect(applications.items[0]).not.toHaveProperty("config");
      expect(applications.items.every(({ compartmentId }) => compartmentId === branch)).toBe(true);
    });

    it("lists ten when nobody says how many", async () => {
      const { id: applicationId } = await newApplication();
      for (let index = 0; index < 11; index++) await newFunction(applicationId);
      const { items, opcNextPage } = await client().listFunctions({ applicationId });
      expect(items).toHaveLength(10);
      const rest = await client().listFunctions({ applicationId, page: opcNextPage });
      expect(rest.items).toHaveLength(1);
      expect(rest.opcNextPage).toBeFalsy();
    });

    it("has no pre-built functions", async () => {
      expect((await client().listPbfListings({})).pbfListingsCollection).toEqual({ items: [] });
      expect((await client().listTriggers({})).triggersCollection).toEqual({ items: [] });
      expect((await client().listPbfListingVersions({ pbfListingId: "p" })).pbfListingVersionsCollection).toEqual({
        items: [],
      });
      expect(await refused(() => client().getPbfListing({ pbfListingId: "p" }))).toMatchObject(hidden);
      expect(await refused(() => client().getPbfListingVersion({ pbfListingVersionId: "v" }))).toMatchObject(hidden);
      const { id: applicationId } = await newApplication();
      const sourceDetails = { sourceType: "PRE_BUILT_FUNCTIONS", pbfListingId: "p" };
      expect(await refused(() => newFunction(applicationId, { image: undefined, sourceDetails }))).toMatchObject({
        statusCode: 400,
        serviceCode: "RelatedResourceNotAuthorizedOrNotFound",
      });
    });

    it("shows what the Fn API made, and the Fn API what it made", async () => {
      const server = served.server();
      const appId = await create(server, "apps", { name: newName(), config: { A: "1" } });
      const fnId = await create(server, "fns", {
        ...{ app_id: appId, name: "f", image: "i:1", memory: 300, timeout: 12 },
        annotations: { "chaya/min-instances": 3, "chaya/detached-timeout": 77 },
      });
      // An id is understood wherever an OCID is, and an OCID of whatever region.
      const { application } = await client().getApplication({ applicationId: appId });
      expect(application).toMatchObject({
        config: { A: "1" },
        compartmentId: root,
        subnetIds: [],
        shape: "GENERIC_X86",
      });
      const functionId = ocidOf("fnfunc", fnId, "eu-frankfurt-1");
      expect((await client().getFunction({ functionId })).function).toMatchObject({
        ...{ displayName: "f", memoryInMBs: 300, timeoutInSeconds: 12, detachedModeTimeoutInSeconds: 77 },
        provisionedConcurrencyConfig: { strategy: "CONSTANT", count: 3 },
      });
      const updateFunctionDetails = { config: { C: "3" }, detachedModeTimeoutInSeconds: 88, freeformTags: { t: "1" } };
      await client().updateFunction({ functionId, updateFunctionDetails });
      expect((await askJson(server, `GET /v2/fns/${fnId}`)).json).toMatchObject({
        ...{ config: { C: "3" }, memory: 300 },
        annotations: { "chaya/min-instances": 3, "chaya/detached-timeout": 88 },
      });
      // What only OCI knows outlives a change through the Fn API.
      const { etag } = await client().getFunction({ functionId });
      await askJson(server, `PUT /v2/fns/${fnId}`, { config: { C: "4" } });
      const after = await client().getFunction({ functionId });
      expect(after.function).toMatchObject({ config: { C: "4" }, freeformTags: { t: "1" } });
      expect(after.etag).not.toBe(etag);
    });

    it("lets the Fn API delete an application with everything in it", async () => {
      const { id: applicationId } = await newApplication();
      const { id: functionId } = await newFunction(applicationId);
      const { json } = await askJson(served.server(), "GET /v2/apps?per_page=100");
      const apps: { id: string }[] = Object(json).items;
      const id = apps.find((app) => ocidOf("fnapp", app.id, "us-ashburn-1") === applicationId)?.id;
      expect((await askJson(served.server(), `DELETE /v2/apps/${id}`)).status).toBe(204);
      expect(await refused(() => client().getFunction({ functionId }))).toMatchObject(hidden);
    });
  });

/** The names of each page. */
async function listed(
  client: FunctionsManagementClient,
  request: Parameters<FunctionsManagementClient["listFunctions"]>[0],
): Promise<string[][]> {
  const pages: string[][] = [];
  let page: string | undefined;
  do {
    const { items, opcNextPage } = await client.listFunctions({ ...request, ...(page && { page }) });
    pages.push(items.map(({ displayName = "" }) => displayName));
    page = opcNextPage || undefined;
  } while (page !== undefined);
  return pages;
}
