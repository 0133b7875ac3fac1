import { limits } from "@chaya/contract";
import { ocidOf, parseOcid } from "@chaya/contract/oci";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  askJson,
  type FunctionRecordsServer,
  startFunctionRecordsServer,
} from "../../testing/function-records-server.ts";
import { testStores } from "../../testing/stores.ts";

const rootId = "01JAAAAAAAAAAAAAAAAAAAAAAA";
const compartmentId = ocidOf("tenancy", rootId, "");
const missing = ocidOf("fnapp", "01JCCCCCCCCCCCCCCCCCCCCCCC", "");
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, "v"]));

const refusedApplications: readonly [says: string, members: object, code: string][] = [
  ["no compartment", { compartmentId: undefined }, "MissingParameter"],
  ["no name", { displayName: undefined }, "MissingParameter"],
  ["an empty name", { displayName: "" }, "InvalidParameter"],
  ["a name with a space", { displayName: "a b" }, "InvalidParameter"],
  ["a name that Fn would take", { displayName: "é" }, "InvalidParameter"],
  ["a name of 256 characters", { displayName: "a".repeat(256) }, "InvalidParameter"],
  ["a key of the configuration that is no variable", { config: { "A-B": "" } }, "InvalidParameter"],
  ["a key that begins with a digit", { config: { "1A": "" } }, "InvalidParameter"],
  ["a configuration that holds no texts", { config: { A: 1 } }, "InvalidParameter"],
  ["a configuration of more than 4 KiB", { config: { A: "é".repeat(2048) } }, "InvalidParameter"],
  ["a NUL in the configuration", { config: { A: "\0" } }, "InvalidParameter"],
  ["an unknown shape", { shape: "GENERIC_RISC" }, "InvalidParameter"],
  ["four subnets", { subnetIds: ["a", "b", "c", "d"] }, "InvalidParameter"],
  ["a syslog URL of another protocol", { syslogUrl: "ftp://x" }, "InvalidParameter"],
  ["eleven free-form tags", { freeformTags: many(11) }, "InvalidParameter"],
  ["65 defined tags", { definedTags: { a: many(65) } }, "InvalidParameter"],
  ["a tag that is no text", { freeformTags: { a: 1 } }, "InvalidParameter"],
  ["an image policy that does not say whether", { imagePolicyConfig: {} }, "MissingParameter"],
  ["more unknown members than are kept", { x: "x".repeat(limits.ociMembersBytesMax) }, "InvalidParameter"],
];

const refusedFunctions: readonly [says: string, members: object, code: string][] = [
  ["no application", { applicationId: undefined }, "MissingParameter"],
  ["an application that is not there", { applicationId: missing }, "NotAuthorizedOrNotFound"],
  ["no image", { image: undefined }, "MissingParameter"],
  ["an empty image", { image: "" }, "InvalidParameter"],
  ["a NUL in the image", { image: "a\0" }, "InvalidParameter"],
  ["an image digest that is none", { imageDigest: "sha256:x" }, "InvalidParameter"],
  ["no memory", { memoryInMBs: undefined }, "MissingParameter"],
  ["memory that OCI does not have", { memoryInMBs: 300 }, "InvalidParameter"],
  ["no time at all", { timeoutInSeconds: 0 }, "InvalidParameter"],
  ["more than 300 seconds", { timeoutInSeconds: 301 }, "InvalidParameter"],
  ["half a second", { timeoutInSeconds: 1.5 }, "InvalidParameter"],
  ["less than 5 seconds when detached", { detachedModeTimeoutInSeconds: 4 }, "InvalidParameter"],
  ["more than an hour when detached", { detachedModeTimeoutInSeconds: 3601 }, "InvalidParameter"],
  ["an unknown strategy", { provisionedConcurrencyConfig: { strategy: "SOME" } }, "InvalidParameter"],
  ["a strategy without a count", { provisionedConcurrencyConfig: { strategy: "CONSTANT" } }, "MissingParameter"],
  ["more than can be ready", { provisionedConcurrencyConfig: { strategy: "CONSTANT", count: 65 } }, "InvalidParameter"],
  ["an unknown destination", { successDestination: { kind: "PIGEON" } }, "InvalidParameter"],
  ["a stream without its id", { failureDestination: { kind: "STREAM" } }, "MissingParameter"],
];

describe.each(testStores())("OCI's details of records on $kind", (testStore) => {
  let server: FunctionRecordsServer;
  let applicationId = "";
  let made = 0;
  const newName = () => `name-${++made}`;
  beforeAll(async () => {
    const access = { compartmentId: rootId, hasCompartment: (id: string) => id === rootId };
    server = await startFunctionRecordsServer(await testStore.open(), "http://localhost:8080", access);
    applicationId = String((await newApplication({})).json.id);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const ask = async (send: string, body?: object) => {
    const { status, json } = await askJson(server, send, body);
    return { status, json: Object(json) };
  };
  const newApplication = (members: object) =>
    ask("POST /20181201/applications", { compartmentId, displayName: newName(), ...members });
  const newFunction = (members: object) =>
    ask("POST /20181201/functions", {
      ...{ applicationId, displayName: newName(), image: "i:1", memoryInMBs: 128 },
      ...members,
    });

  it.each(refusedApplications)("refuse an application with %s", async (_, members, code) => {
    const { status, json } = await newApplication(members);
    expect([status, json]).toEqual([400, { code, message: expect.stringMatching(/\w/) }]);
  });

  it.each(refusedFunctions)("refuse a function with %s", async (_, members, code) => {
    const { status, json } = await newFunction(members);
    expect(json).toEqual({ code, message: expect.stringMatching(/\w/) });
    expect(status).toBe(code === "NotAuthorizedOrNotFound" ? 404 : 400);
  });

  it.each([
    ["applications", "", "MissingParameter"],
    ["functions", "", "MissingParameter"],
    ["applications", "compartmentId=ID&limit=0", "InvalidParameter"],
    ["applications", "compartmentId=ID&limit=51", "InvalidParameter"],
    ["applications", "compartmentId=ID&sortBy=size", "InvalidParameter"],
    ["applications", "compartmentId=ID&sortOrder=UP", "InvalidParameter"],
    ["applications", "compartmentId=ID&page=", "InvalidParameter"],
    ["applications", "compartmentId=ID&page=garbage", "InvalidParameter"],
    ["applications", `compartmentId=ID&page=${token("displayName", false, 5, "x")}`, "InvalidParameter"],
    ["applications", `compartmentId=ID&page=${token("timeCreated", false, 5, "x")}`, "InvalidParameter"],
    ["applications", `compartmentId=ID&page=${token("displayName", true, "a", "x")}`, "InvalidParameter"],
    ["applications", `compartmentId=ID&page=${token("displayName", false, "a")}`, "InvalidParameter"],
  ])("refuse to list %s by '%s'", async (what, query, code) => {
    const { status, json } = await ask(`GET /20181201/${what}?${query.replace("ID", compartmentId)}`);
    expect([status, json]).toEqual([400, { code, message: expect.stringMatching(/\w/) }]);
  });

  it("take what is just within every limit", async () => {
    const application = await newApplication({
      ...{ displayName: "a".repeat(255), config: { A: "é".repeat(2047), _: "" }, freeformTags: many(10) },
      ...{ subnetIds: ["a", "b", "c"], shape: "GENERIC_X86_ARM", definedTags: { a: many(64) } },
    });
    expect(application.status).toBe(200);
    for (const memoryInMBs of [128, 256, 512, 1024, 2048, 3072]) {
      const members = { timeoutInSeconds: 300, detachedModeTimeoutInSeconds: 3600, config: { A: "" } };
      const { json } = await newFunction({ memoryInMBs, ...members });
      expect(json).toMatchObject({ memoryInMBs, ...members });
    }
  });

  it("keep members that nobody knows and show them again, also in lists", async () => {
    const futureMember = { a: [1, { b: null, c: "<&>" }], d: null };
    const shown = { a: [1, { c: "<&>" }] };
    const application = (await newApplication({ futureMember, other: 1 })).json;
    expect(application).toMatchObject({ futureMember: shown, other: 1, subnetIds: [] });
    const path = `/20181201/applications/${application.id}`;
    const changed = await ask(`PUT ${path}`, { other: { new: true }, futureMember: null, config: { A: "1" } });
    expect(changed.json).toMatchObject({ futureMember: shown, other: { new: true }, config: { A: "1" } });
    const { json: listed } = await ask(
      `GET /20181201/applications?compartmentId=${compartmentId}&displayName=${application.displayName}`,
    );
    expect(listed).toMatchObject([{ futureMember: shown, other: { new: true } }]);
    const made = (await newFunction({ futureMember, id: "mine", lifecycleState: "FAILED" })).json;
    expect(made).toMatchObject({ futureMember: shown, lifecycleState: "ACTIVE" });
    expect(made.id).toMatch(/^ocid1\.fnfunc\./);
  });

  it("ignore what never changes, as clients send back what they read", async () => {
    const { json: before } = await newApplication({ subnetIds: ["a"], shape: "GENERIC_ARM" });
    const { status, json: after } = await ask(`PUT /20181201/applications/${before.id}`, {
      ...{ ...before, displayName: "another", subnetIds: ["b"], shape: "GENERIC_X86", compartmentId: "elsewhere" },
      ...{ timeCreated: "yesterday", id: "other" },
    });
    expect([status, after]).toEqual([200, before]);
  });

  it("change nothing, and give no new etag, when nothing is asked for", async () => {
    const { json: before } = await newFunction({ freeformTags: { a: "b" } });
    const path = `/20181201/functions/${before.id}`;
    const read = await server.ask({ method: "GET", path });
    const { json: after } = await ask(`PUT ${path}`, {});
    expect(after).toEqual(before);
    expect((await server.ask({ method: "GET", path })).headers.etag).toBe(read.headers.etag);
  });

  it("show larger values of the Fn API and refuse to make instances ready beyond its maximum", async () => {
    const { json: fn } = await ask("POST /v2/fns", {
      ...{ app_id: applicationIdOf(applicationId), name: newName(), image: "i:1", memory: 5000, idle_timeout: 99 },
      ...{ config: { "any key": "x".repeat(5000) }, annotations: { "chaya/max-instances": 2, plain: 1 } },
    });
    const path = `/20181201/functions/${fn.id}`;
    expect((await ask(`GET ${path}`)).json).toMatchObject({ memoryInMBs: 5000, config: fn.config });
    const three = { provisionedConcurrencyConfig: { strategy: "CONSTANT", count: 3 } };
    const refused = await ask(`PUT ${path}`, three);
    expect([refused.status, refused.json.code]).toEqual([400, "InvalidParameter"]);
    const two = { provisionedConcurrencyConfig: { strategy: "CONSTANT", count: 2 } };
    expect((await ask(`PUT ${path}`, two)).json).toMatchObject(two);
    expect((await ask(`GET /v2/fns/${fn.id}`)).json).toMatchObject({
      ...{ memory: 5000, idle_timeout: 99 },
      annotations: { "chaya/max-instances": 2, "chaya/min-instances": 2, plain: 1 },
    });
  });
});

function token(...parts: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/** The id within an OCID. */
function applicationIdOf(ocid: string): string {
  return parseOcid(ocid)?.id ?? "";
}
