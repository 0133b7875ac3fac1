import { request } from "node:http";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import {
  askJson,
  create,
  type FunctionRecordsServer,
  startFunctionRecordsServer,
} from "../testing/function-records-server.ts";
import { packBundle } from "../testing/pack-bundle.ts";
import { testStores } from "../testing/stores.ts";
import { deleteOldBundle, readOldBundles } from "./records/bundles.ts";

/** The machine may be busy. */
const patiently = { timeout: 10_000 };

const dayMs = 24 * 3_600_000;

for (const testStore of testStores())
  describe(`code bundles on ${testStore.kind}`, () => {
    it("stores a bundle by its digest and gives it out byte for byte", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const { bytes, digest } = await packBundle({ "func.js": "42", "lib/a.js": "a" });
      const told = await upload(server, bytes, "?app=shop&fn=buy");
      expect(told).toEqual({
        status: 200,
        json: { image: `bundle/shop/buy:sha256-${digest}`, digest, bytes: bytes.length, isNew: true },
      });
      const opened = await server.records.openBundle(digest);
      expect(opened?.bytes).toBe(bytes.length);
      if (opened !== undefined) expect((await buffer(opened.content)).equals(bytes)).toBe(true);
      expect(await server.records.openBundle("0".repeat(64))).toBeUndefined();
    });

    it("stores the same bytes once, also when they come twice at the same time", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const { bytes } = await packBundle({ "func.js": "42" });
      const twins = await Promise.all([upload(server, bytes), upload(server, bytes)]);
      expect(twins.map(({ json }) => Object(json).isNew).sort()).toEqual([false, true]);
      expect((await upload(server, bytes, "?app=other&fn=f")).json).toMatchObject({ isNew: false });
      expect(await payloadCount(server)).toBe(1);
    });

    it("replaces a stored copy that is lost or damaged", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const { bytes, digest } = await packBundle({ "func.js": "42" });
      await upload(server, bytes);
      const [row] = await server.opened.store.db.selectFrom("bundles").selectAll().execute();
      await server.payloads.remove(String(row?.payload_id));
      expect(await upload(server, bytes)).toMatchObject({ status: 200, json: { isNew: true } });
      const opened = await server.records.openBundle(digest);
      if (opened !== undefined) expect((await buffer(opened.content)).equals(bytes)).toBe(true);
      expect(opened).toBeDefined();
    });

    it("refuses what is no bundle, says why, and keeps nothing of it", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const outside = await packBundle([["../func.js", "x"]]);
      const link = await packBundle([["func.js", { type: "symlink", linkname: "../../etc/passwd" }]]);
      const good = await packBundle({ "func.js": "42" });
      const bad = { status: 400, json: { code: "bundle-invalid" } };
      expect(await upload(server, Buffer.from("no gzip"))).toMatchObject(bad);
      expect(await upload(server, Buffer.alloc(0))).toMatchObject(bad);
      expect(await upload(server, good.bytes.subarray(0, -9))).toMatchObject(bad);
      expect((await upload(server, outside.bytes)).json).toMatchObject({
        detail: expect.stringContaining("leads out of"),
      });
      expect((await upload(server, link.bytes)).json).toMatchObject({
        detail: expect.stringContaining("points out of"),
      });
      expect(await payloadCount(server)).toBe(0);
    });

    it("refuses names that could not be read back from the image, and a strange query", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const { bytes } = await packBundle({ "func.js": "42" });
      const refused = { status: 400, json: { code: "request-invalid" } };
      for (const query of [
        "",
        "?app=a",
        "?app=&fn=f",
        "?app=a/b&fn=f",
        "?app=a&fn=f%2Fg",
        "?app=a&fn=f%00",
        "?app=a&fn=f&x=1",
      ])
        expect(await upload(server, bytes, query), query).toMatchObject(refused);
    });

    it("refuses more bytes than a bundle may have before it reads them", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const headers = { "Content-Length": String(300 * 1024 * 1024), Expect: "100-continue" };
      const status = await new Promise((resolve, reject) => {
        const asked = request({
          host: "127.0.0.1",
          port: server.port,
          method: "POST",
          path: "/chaya/v1/bundles?app=a&fn=f",
          headers,
        });
        asked.once("response", (response) => {
          resolve(response.statusCode);
          asked.destroy();
        });
        asked.once("error", reject);
        asked.flushHeaders();
      });
      expect(status).toBe(413);
    });

    it("keeps nothing of an upload that breaks off", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const { bytes } = await packBundle({ "func.js": "x".repeat(100_000) });
      const asked = request({
        host: "127.0.0.1",
        port: server.port,
        method: "POST",
        path: "/chaya/v1/bundles?app=a&fn=f",
      });
      asked.on("error", () => undefined);
      await new Promise((resolve) => asked.write(bytes.subarray(0, 50), resolve));
      asked.destroy();
      expect(await upload(server, bytes)).toMatchObject({ status: 200 });
      await expect.poll(() => payloadCount(server), patiently).toBe(1);
    });

    it("shows digest and size of the bundles among a function's images", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const { bytes, digest } = await packBundle({ "func.js": "42" });
      const image = String(Object((await upload(server, bytes)).json).image);
      const id = await newFunction(server, image);
      const { json } = await askJson(server, `GET /chaya/v1/functions/${id}/images`);
      expect(json).toMatchObject({ items: [{ image, digest, bytes: bytes.length, isCurrent: true }] });
    });

    it("collects bundles a day after no image named them, and never one that is named", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const [kept, dropped] = await Promise.all([packBundle({ "func.js": "1" }), packBundle({ "func.js": "2" })]);
      const image = String(Object((await upload(server, kept.bytes)).json).image);
      await upload(server, dropped.bytes);
      const id = await newFunction(server, image);
      await server.clock.advance(dayMs - 1);
      expect(await digests(server)).toHaveLength(2);
      await server.clock.advance(2 * 3_600_000);
      await expect.poll(() => digests(server), patiently).toEqual([kept.digest]);
      await expect.poll(() => payloadCount(server), patiently).toBe(1);
      await askJson(server, `DELETE /v2/fns/${id}`);
      await server.clock.advance(3_600_000);
      await expect.poll(() => digests(server), patiently).toEqual([]);
      await expect
        .poll(() => server.forgotten.map((image) => image.slice(-64)), patiently)
        .toEqual([dropped.digest, kept.digest]);
    });

    it("does not collect a bundle that is put on a function while the collector looks", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const { bytes, digest } = await packBundle({ "func.js": "1" });
      const image = String(Object((await upload(server, bytes)).json).image);
      const [bundle] = await readOldBundles(server.opened, Number.MAX_SAFE_INTEGER);
      if (bundle === undefined) throw new Error("the bundle was not stored");
      const beforeMs = server.clock.nowMs() + 1;
      server.clock.jump(dayMs);
      await newFunction(server, image);
      expect(await deleteOldBundle(server.recordDeps, bundle, beforeMs)).toBe(false);
      expect(await digests(server)).toEqual([digest]);
    });

    it("gives a bundle that is uploaded again a day more, so that a deploy in progress finds it", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const { bytes, digest } = await packBundle({ "func.js": "1" });
      await upload(server, bytes);
      await server.clock.advance(dayMs - 2000);
      await upload(server, bytes);
      await server.clock.advance(dayMs - 4000);
      expect(await digests(server)).toEqual([digest]);
    });
  });

async function upload(server: FunctionRecordsServer, body: Uint8Array, query = "?app=shop&fn=buy") {
  const { status, text } = await server.ask({ method: "POST", path: `/chaya/v1/bundles${query}`, body });
  const json: unknown = JSON.parse(text);
  return { status, json };
}

async function newFunction(server: FunctionRecordsServer, image: string): Promise<string> {
  return create(server, "fns", { app_id: await create(server, "apps", { name: "shop" }), name: "f", image });
}

async function digests(server: FunctionRecordsServer): Promise<readonly string[]> {
  const rows = await server.opened.store.db.selectFrom("bundles").select("digest").execute();
  return rows.map(({ digest }) => digest);
}

async function payloadCount(server: FunctionRecordsServer): Promise<number> {
  return (await server.payloads.list({ writtenBeforeMs: Number.MAX_SAFE_INTEGER, countMax: 100 })).length;
}
