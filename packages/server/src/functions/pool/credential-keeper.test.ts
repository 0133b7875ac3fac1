import { limits } from "@chaya/contract";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { InvocationRig, openStore, type RigOptions } from "../../testing/invocation-rig.ts";
import type { ScriptedInstance } from "../../testing/scripted-runtime.ts";
import type { OpenTestStore } from "../../testing/stores.ts";

let opened: OpenTestStore;
let rig: InvocationRig;
/** What was issued, and to whom. */
let issued: { functionId: string; compartmentId: string }[];
let failure: Error | undefined;

beforeAll(async () => {
  opened = await openStore();
});
afterAll(() => opened[Symbol.asyncDispose]());
afterEach(() => rig[Symbol.asyncDispose]());

const answer: NonNullable<RigOptions["answer"]> = ({ request, response, instance }) => {
  const print = String(request.headers["x-print"] ?? "");
  if (print !== "") instance.print(print);
  response.end();
};

async function open(): Promise<void> {
  [issued, failure] = [[], undefined];
  rig = await InvocationRig.open({
    opened,
    answer,
    deps: {
      issueCredential: async (subject) => {
        issued.push({ ...subject });
        if (failure !== undefined) throw failure;
        return {
          token: `head.${subject.functionId}-${issued.length}.signature`,
          privateKey: `key of ${subject.functionId}`,
          refreshAtMs: rig.clock.nowMs() + limits.resourceTokenRefreshMs,
        };
      },
    },
  });
}

const theOne = (): ScriptedInstance => {
  const [instance] = rig.runtime.instances;
  return instance ?? expect.fail("one runs");
};
/** Long enough for the look that finds what is due, and for what it does. */
const soon = async () => {
  await rig.clock.advance(15_000);
  for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve));
};

describe("the credentials of an instance", () => {
  it("are its function's, and stand over whatever its configuration says", async () => {
    await open();
    const config = { OCI_RESOURCE_PRINCIPAL_RPST: "mine", OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM_PASSPHRASE: "x", A: "b" };
    const fn = rig.addFunction("asks", { config });
    await rig.invoke(fn);
    const [spec] = rig.runtime.specs;
    expect(issued).toEqual([
      { functionId: fn.id, compartmentId: rig.directory.application(fn.applicationId)?.compartmentId },
    ]);
    expect(spec?.environment).toEqual({
      A: "b",
      OCI_RESOURCE_PRINCIPAL_VERSION: "2.2",
      OCI_RESOURCE_PRINCIPAL_REGION: "us-ashburn-1",
    });
    expect(spec?.credentials.variables).toEqual({
      OCI_RESOURCE_PRINCIPAL_RPST: "rpst",
      OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM: "private.pem",
    });
    expect(theOne().credentials).toEqual({
      rpst: `head.${fn.id}-1.signature`,
      "private.pem": `key of ${fn.id}`,
    });
  });

  it("are fresh as long as it lives, and nobody issues any for one that ended", async () => {
    await open();
    const fn = rig.addFunction("long", { idleTimeoutS: 3600 });
    await rig.invoke(fn);
    const instance = theOne();
    await rig.clock.advance(limits.resourceTokenRefreshMs - 30_000);
    expect(issued).toHaveLength(1);
    for (let count = 2; count < 5; count++) {
      await rig.clock.advance(count === 2 ? 30_000 : limits.resourceTokenRefreshMs);
      await soon();
      expect(instance.credentials).toMatchObject({
        rpst: `head.${fn.id}-${count}.signature`,
        "private.pem": `key of ${fn.id}`,
      });
    }
    instance.exit({ code: 0 });
    await rig.clock.advance(2 * limits.resourceTokenRefreshMs);
    expect(issued).toHaveLength(4);
  });

  it("are tried for again when they could not be had, while the old ones last", async () => {
    await open();
    const fn = rig.addFunction("unlucky", { idleTimeoutS: 3600 });
    await rig.invoke(fn);
    const instance = theOne();
    failure = new Error("the store is away");
    await rig.clock.advance(limits.resourceTokenRefreshMs + 15_000);
    await soon();
    expect(issued.length).toBeGreaterThan(1);
    expect(instance.credentials).toMatchObject({ rpst: `head.${fn.id}-1.signature` });
    failure = undefined;
    await soon();
    expect(instance.credentials).toMatchObject({ rpst: `head.${fn.id}-${issued.length}.signature` });
  });

  it("keep it from starting when they cannot be had", async () => {
    await open();
    failure = new Error("no key");
    const { status, body } = await rig.invoke(rig.addFunction("keyless"));
    expect([status, rig.runtime.instances.size]).toEqual([500, 0]);
    expect(body).not.toContain("no key");
  });

  it("do not stand in its log", async () => {
    await open();
    const fn = rig.addFunction("chatty");
    await rig.invoke(fn, "", { "x-print": "a head.claims.signature b" });
    const printed = rig.lines.map(({ bytes }) => Buffer.from(bytes).toString());
    expect(printed).toEqual(["a [secret] b"]);
  });
});
