import { describe, expect, it } from "vitest";
import {
  askJson,
  create,
  type FunctionRecordsServer,
  startFunctionRecordsServer,
} from "../testing/function-records-server.ts";
import { testStores } from "../testing/stores.ts";

for (const testStore of testStores())
  describe(`images on ${testStore.kind}`, () => {
    it("lists the last ten, newest first, and marks the current one", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const id = await newFunction(server, "me/f:1");
      for (let version = 2; version <= 12; version++) await deploy(server, id, `me/f:${version}`);
      const names = Array.from({ length: 10 }, (_, index) => `me/f:${12 - index}`);
      expect(await imagesOf(server, id)).toEqual(names.map((image) => ({ image, isCurrent: image === "me/f:12" })));
    });

    it("adds no image when something else is changed", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const id = await newFunction(server, "me/f:1");
      await askJson(server, `PUT /v2/fns/${id}`, { image: "me/f:1", memory: 512 });
      expect(await imagesOf(server, id)).toEqual([{ image: "me/f:1", isCurrent: true }]);
    });

    it("goes back to the image that was current before, and back again", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const id = await newFunction(server, "me/f:1");
      await deploy(server, id, "me/f:2");
      for (const image of ["me/f:1", "me/f:2", "me/f:1"]) {
        const { status, json } = await askJson(server, `POST /chaya/v1/functions/${id}/rollback`, {});
        expect({ status, json }).toMatchObject({ status: 200, json: { image, isCurrent: true } });
        expect(server.records.directory.function(id)?.image).toBe(image);
        expect((await askJson(server, `GET /v2/fns/${id}`)).json).toMatchObject({ image });
      }
    });

    it("goes back to any of the last images by name, and changes nothing but the image", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const id = await newFunction(server, "me/f:1");
      await deploy(server, id, "me/f:2");
      await askJson(server, `PUT /v2/fns/${id}`, { image: "me/f:3", memory: 512, config: { A: "1" } });
      await askJson(server, `POST /chaya/v1/functions/${id}/rollback`, { image: "me/f:1" });
      expect(await imagesOf(server, id)).toEqual([
        { image: "me/f:1", isCurrent: true },
        { image: "me/f:3", isCurrent: false },
        { image: "me/f:2", isCurrent: false },
      ]);
      const { json } = await askJson(server, `GET /v2/fns/${id}`);
      expect(json).toMatchObject({ image: "me/f:1", memory: 512, config: { A: "1" } });
    });

    it("stays where it is when it goes back to the current image", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const id = await newFunction(server, "me/f:1");
      await deploy(server, id, "me/f:2");
      const before = await askJson(server, `GET /v2/fns/${id}`);
      await server.clock.advance(1000);
      const { status } = await askJson(server, `POST /chaya/v1/functions/${id}/rollback`, { image: "me/f:2" });
      expect(status).toBe(200);
      expect(await askJson(server, `GET /v2/fns/${id}`)).toEqual(before);
    });

    it("refuses an image that is not one of them, a function without an earlier one, and strange members", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const id = await newFunction(server, "me/f:1");
      const rollback = `POST /chaya/v1/functions/${id}/rollback`;
      expect(await askJson(server, rollback, { image: "me/f:0" })).toMatchObject({
        status: 404,
        json: { code: "image-not-found" },
      });
      expect(await askJson(server, rollback, {})).toMatchObject({ status: 404, json: { code: "image-not-found" } });
      expect(await askJson(server, rollback, { to: "x" })).toMatchObject({
        status: 400,
        json: { code: "request-invalid" },
      });
      const none = `/chaya/v1/functions/${server.newId()}`;
      const missing = { status: 404, json: { code: "function-not-found" } };
      expect(await askJson(server, `POST ${none}/rollback`, {})).toMatchObject(missing);
      expect(await askJson(server, `GET ${none}/images`)).toMatchObject(missing);
    });
  });

async function newFunction(server: FunctionRecordsServer, image: string): Promise<string> {
  return create(server, "fns", { app_id: await create(server, "apps", { name: "shop" }), name: "f", image });
}

async function deploy(server: FunctionRecordsServer, id: string, image: string): Promise<void> {
  expect(await askJson(server, `PUT /v2/fns/${id}`, { image })).toMatchObject({ status: 200, json: { image } });
}

async function imagesOf(server: FunctionRecordsServer, id: string): Promise<unknown> {
  const { json } = await askJson(server, `GET /chaya/v1/functions/${id}/images`);
  expect(json).toMatchObject({ items: expect.any(Array) });
  return Object.values(Object(json).items).map((item) => ({
    image: Object(item).image,
    isCurrent: Object(item).isCurrent,
  }));
}
