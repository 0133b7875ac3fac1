import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isProblem, limits } from "@chaya/contract";
import { ocidOf } from "@chaya/contract/oci";
import { decodeJwt, decodeProtectedHeader, jwtVerify, SignJWT, UnsecuredJWT } from "jose";
import { afterEach, describe, expect, it } from "vitest";
import { createIds } from "../../kernel/ids.ts";
import { Lifetime } from "../../kernel/lifetime.ts";
import { silentLogger } from "../../kernel/logger.ts";
import { seededRandom } from "../../kernel/random.ts";
import { create } from "../../testing/function-records-server.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { type SecretsServer, startSecretsServer } from "../../testing/secrets-server.ts";
import { testStores } from "../../testing/stores.ts";
import { createResourcePrincipals, type ResourcePrincipals } from "./index.ts";

const rootId = "01ARZ3NDEKTSV4RRFFQ69GR00T";
const otherId = "01ARZ3NDEKTSV4RRFFQ69C0MPS";
const region = "eu-frankfurt-1";

describe.each(testStores())("resource principals on $kind", (store) => {
  let lifetime = new Lifetime();
  afterEach(async () => {
    await lifetime[Symbol.asyncDispose]();
    lifetime = new Lifetime();
  });

  interface Node {
    readonly server: SecretsServer;
    readonly principals: ResourcePrincipals;
    readonly clock: ManualClock;
  }

  async function open(server: SecretsServer, clock = new ManualClock()): Promise<Node> {
    const { recordDeps, records } = server.functions;
    const { sealed } = server.secrets;
    const principals = lifetime.own(
      await createResourcePrincipals({
        ...{ store: recordDeps.store, changes: recordDeps.changes, clock, logger: silentLogger() },
        ...{ newId: createIds(clock, seededRandom(1)), sealed, resolve: records.resolve, region },
        compartmentId: rootId,
      }),
    );
    return { server, principals, clock };
  }

  async function start(): Promise<Node> {
    const server = lifetime.own(await startSecretsServer(await store.open()));
    // Nodes of one store have the same key from the beginning.
    await writeFile(server.keyFile, Buffer.alloc(32, "key"), { mode: 0o600 });
    return open(server);
  }

  /** A further node on the same store with the same key file. */
  async function startSecond({ server, clock }: Node): Promise<Node> {
    const opened = await server.functions.opened.openSecond();
    const options = { directory: dirname(server.keyFile), ids: server.ids };
    return open(lifetime.own(await startSecretsServer(opened, options)), clock);
  }

  const issue = ({ server, principals }: Node, functionId = server.ids.buy, compartmentId = rootId) =>
    principals.issueCredential({ functionId, compartmentId });

  async function storedKeys({ server }: Node): Promise<readonly string[]> {
    const { db } = server.functions.recordDeps.store;
    return (await db.selectFrom("platform_keys").select("name").orderBy("name").execute()).map(({ name }) => name);
  }

  async function platformKey({ server }: Node): Promise<KeyObject> {
    const { db } = server.functions.recordDeps.store;
    const query = db.selectFrom("platform_keys").select("public_part").where("name", "=", "resource-principals");
    return createPublicKey((await query.executeTakeFirstOrThrow()).public_part);
  }

  describe("a token", () => {
    it("says who the function is in the claims that OCI's tokens have, and any JWT library can check it", async () => {
      const node = await start();
      const { buy } = node.server.ids;
      const { token, privateKey } = await issue(node);
      const { payload, protectedHeader } = await jwtVerify(token, await platformKey(node), {
        ...{ algorithms: ["RS256"], issuer: "authService.oracle.com", audience: "oci" },
        currentDate: new Date(node.clock.nowMs()),
      });
      expect(protectedHeader).toEqual({ alg: "RS256", typ: "JWT", kid: expect.stringMatching(/^[\w-]{43}$/) });
      const function_ = ocidOf("fnfunc", buy, region);
      const tenancy = ocidOf("tenancy", rootId, region);
      const iat = Math.floor(node.clock.nowMs() / 1000);
      const { jwk, jti, ...claims } = payload;
      expect(claims).toEqual({
        ...{ sub: function_, iss: "authService.oracle.com", aud: "oci", iat, exp: iat + 1200 },
        ...{ ttype: "res_sp", ptype: "resource", res_type: "fnfunc", res_id: function_ },
        ...{ res_tenant: tenancy, res_compartment: tenancy, tenant: tenancy },
      });
      expect(jti).toMatch(/^[0-9A-Z]{26}$/);
      const publicJwk = JSON.parse(String(jwk));
      expect(publicJwk).toMatchObject({ kty: "RSA", e: "AQAB", alg: "RS256", use: "sig" });
      expect(Object.keys(publicJwk)).not.toContain("d");
      const signature = sign("sha256", Buffer.from("text"), privateKey);
      const publicKey = createPublicKey({ key: publicJwk, format: "jwk" });
      expect(verify("sha256", Buffer.from("text"), publicKey, signature)).toBe(true);
    });

    it("names the compartment that the function is in", async () => {
      const node = await start();
      const before = decodeJwt((await issue(node, node.server.ids.buy, otherId)).token);
      expect(before.res_compartment).toBe(ocidOf("compartment", otherId, region));
      const after = decodeJwt((await issue(node)).token);
      expect(after.res_compartment).toBe(ocidOf("tenancy", rootId, region));
    });

    it("is read as what it says, again and again", async () => {
      const node = await start();
      const { token, privateKey } = await issue(node);
      for (let count = 0; count < 3; count++) {
        const read = node.principals.verifyResourceToken(token);
        expect(read?.functionId).toBe(node.server.ids.buy);
        const signature = sign("sha256", Buffer.from("text"), privateKey);
        expect(read && verify("sha256", Buffer.from("text"), read.publicKey, signature)).toBe(true);
      }
    });

    it("is the same for all that ask within eight minutes, then another with the same key, and ends after twenty", async () => {
      const node = await start();
      const { clock, principals } = node;
      const startedMs = clock.nowMs();
      const [first, same] = await Promise.all([issue(node), issue(node)]);
      expect(same).toEqual(first);
      expect(first.refreshAtMs).toBe(startedMs + limits.resourceTokenRefreshMs);
      await clock.advance(limits.resourceTokenRefreshMs - 1);
      expect(await issue(node)).toEqual(first);
      await clock.advance(1);
      const second = await issue(node);
      expect(second.token).not.toBe(first.token);
      expect(second.privateKey).toBe(first.privateKey);
      clock.jump(
        first.refreshAtMs + limits.resourceTokenAgeMsMax - limits.resourceTokenRefreshMs - 1_001 - clock.nowMs(),
      );
      expect(principals.verifyResourceToken(first.token)).toBeDefined();
      clock.jump(1_001);
      expect(principals.verifyResourceToken(first.token)).toBeUndefined();
      expect(principals.verifyResourceToken(second.token)).toBeDefined();
      clock.jump(-3_600_000);
      expect((await issue(node)).refreshAtMs).toBe(clock.nowMs() + limits.resourceTokenRefreshMs);
    });

    it("is refused when anything of it was not made by the platform", async () => {
      const node = await start();
      const { token } = await issue(node);
      const key = await platformKey(node);
      const [header = "", payload = "", signature = ""] = token.split(".");
      const claims = decodeJwt(token);
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      const kid = String(decodeProtectedHeader(token).kid);
      const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");
      const secret = new TextEncoder().encode(String(key.export({ type: "spki", format: "pem" })));
      const forged: Readonly<Record<string, string>> = {
        "another's signature": await new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid }).sign(privateKey),
        "HS256 with the public key": await new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid }).sign(secret),
        "no signature": `${header}.${payload}.`,
        "alg none": new UnsecuredJWT(claims).encode(),
        "alg None": `${encode({ alg: "None" })}.${payload}.${signature}`,
        "another header": `${encode({ alg: "RS256", kid, jku: "http://127.0.0.1/" })}.${payload}.${signature}`,
        "another function": `${header}.${encode({ ...claims, res_id: ocidOf("fnfunc", node.server.ids.sell, region) })}.${signature}`,
        "a later end": `${header}.${encode({ ...claims, exp: 9e15 })}.${signature}`,
        "two parts": `${header}.${payload}`,
        "four parts": `${token}.${signature}`,
        "a space": ` ${token}`,
        nothing: "",
        "a long text": `${"a".repeat(1024 * 1024)}.a.a`,
        "nested arrays": `${header}.${Buffer.from("[".repeat(8_000)).toString("base64url")}.${signature}`,
      };
      const startedMs = performance.now();
      for (const [what, text] of Object.entries(forged))
        expect([what, node.principals.verifyResourceToken(text)]).toEqual([what, undefined]);
      expect(performance.now() - startedMs).toBeLessThan(500);
      expect(node.principals.verifyResourceToken(token)).toBeDefined();
    });

    it("is worth nothing from the moment its function is deleted", async () => {
      const node = await start();
      const { token } = await issue(node);
      expect(node.principals.verifyResourceToken(token)).toBeDefined();
      const { status } = await node.server.functions.ask({ method: "DELETE", path: `/v2/fns/${node.server.ids.buy}` });
      expect(status).toBe(204);
      expect(node.principals.verifyResourceToken(token)).toBeUndefined();
    });

    it("counts on every node, whichever issued it", async () => {
      const one = await start();
      const two = await startSecond(one);
      const [first, second] = await Promise.all([issue(one), issue(two)]);
      expect(second.privateKey).toBe(first.privateKey);
      for (const { principals } of [one, two])
        for (const { token } of [first, second])
          expect(principals.verifyResourceToken(token)?.functionId).toBe(one.server.ids.buy);
      const { token } = await issue(one, one.server.ids.sell);
      expect(two.principals.verifyResourceToken(token)?.functionId).toBe(one.server.ids.sell);
    });
  });

  describe("the key of a function", () => {
    it("is its own, sealed in the store, and the same after a restart", async () => {
      const node = await start();
      const { buy, sell } = node.server.ids;
      const [first, other] = await Promise.all([issue(node, buy), issue(node, sell)]);
      expect(other.privateKey).not.toBe(first.privateKey);
      expect(await storedKeys(node)).toEqual([`function/${buy}`, `function/${sell}`, "resource-principals"].sort());
      const { db } = node.server.functions.recordDeps.store;
      for (const row of await db.selectFrom("platform_keys").selectAll().execute()) {
        expect(Buffer.from(row.sealed).includes("PRIVATE")).toBe(false);
        expect(row.public_part).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
      }
      const again = await startSecond(node);
      expect((await issue(again)).privateKey).toBe(first.privateKey);
    });

    it("is made when the function is, so that its first start finds it", async () => {
      const node = await start();
      const { shop } = node.server.ids;
      const id = await create(node.server.functions, "fns", { app_id: shop, name: "new", image: "i" });
      await expect.poll(() => storedKeys(node), { timeout: 10_000 }).toContain(`function/${id}`);
    });

    it("is not made ahead for functions that are just there, however many", async () => {
      const server = lifetime.own(await startSecretsServer(await store.open()));
      for (let count = 0; count < 20; count++)
        await create(server.functions, "fns", { app_id: server.ids.shop, name: `fn${count}`, image: "i" });
      const node = await open(server);
      await node.clock.advance(10_000);
      await expect.poll(() => storedKeys(node), { timeout: 10_000 }).toEqual(["resource-principals"]);
      await issue(node);
      expect(await storedKeys(node)).toEqual([`function/${server.ids.buy}`, "resource-principals"]);
    });

    it("goes with the function, and those of functions that were deleted before a crash with the next start", async () => {
      const node = await start();
      const { buy, sell } = node.server.ids;
      await Promise.all([issue(node, buy), issue(node, sell)]);
      await node.server.functions.ask({ method: "DELETE", path: `/v2/fns/${buy}` });
      await expect.poll(() => storedKeys(node)).toEqual([`function/${sell}`, "resource-principals"]);
      const { store: records } = node.server.functions.recordDeps;
      const lost = { name: "function/LOST", sealed: new Uint8Array(1), public_part: "", created_at_ms: 0 };
      await records.apply([{ query: records.db.insertInto("platform_keys").values(lost) }]);
      await startSecond(node);
      await expect.poll(() => storedKeys(node)).toEqual([`function/${sell}`, "resource-principals"]);
    });

    it("is never used by two, when many functions start at once", async () => {
      const node = await start();
      const ids = await Promise.all(
        Array.from({ length: 12 }, (_, count) =>
          create(node.server.functions, "fns", { app_id: node.server.ids.shop, name: `many${count}`, image: "i" }),
        ),
      );
      const issued = await Promise.all(ids.map((id) => issue(node, id)));
      expect(new Set(issued.map(({ privateKey }) => privateKey)).size).toBe(ids.length);
      for (const [index, { token }] of issued.entries())
        expect(node.principals.verifyResourceToken(token)?.functionId).toBe(ids[index]);
    });

    it("that was changed or put in another's place does not open, and others do", async () => {
      const node = await start();
      const { buy, sell } = node.server.ids;
      await Promise.all([issue(node, buy), issue(node, sell)]);
      const { store: records } = node.server.functions.recordDeps;
      const { sealed } = await records.db
        .selectFrom("platform_keys")
        .select("sealed")
        .where("name", "=", `function/${sell}`)
        .executeTakeFirstOrThrow();
      const query = records.db.updateTable("platform_keys").set({ sealed }).where("name", "=", `function/${buy}`);
      await records.apply([{ query, expect: 1 }]);
      const again = await startSecond(node);
      const failure = await issue(again, buy).catch((error: unknown) => error);
      expect(isProblem(failure) && failure.code).toBe("secret-unreadable");
      expect(await issue(again, sell)).toMatchObject({ privateKey: expect.stringContaining("PRIVATE KEY") });
    });
  });
});
