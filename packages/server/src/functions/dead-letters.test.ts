import { describe, expect, it } from "vitest";
import {
  askJson,
  create,
  type FunctionRecordsServer,
  startFunctionRecordsServer,
} from "../testing/function-records-server.ts";
import { testStores } from "../testing/stores.ts";

/** The machine may be busy. */
const patiently = { timeout: 10_000 };

const problem = { code: "function-failed", sentence: "It failed.", hint: "Look." };

for (const testStore of testStores())
  describe(`dead letters on ${testStore.kind}`, () => {
    it("lists them newest first, in pages, of everything, one application or one function", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const shop = await newApplication(server, "shop", ["buy", "sell"]);
      const side = await newApplication(server, "side", ["buy"]);
      await newApplication(server, "void", []);
      const letters = await die(
        server,
        [shop.buy, shop.sell, side.buy, shop.buy].map((lane) => String(lane)),
      );
      const [first, second, third, fourth] = letters;
      expect(await listed(server, "")).toEqual([fourth, third, second, first]);
      expect(await listed(server, "?limit=3")).toEqual([fourth, third, second]);
      expect(await listed(server, `?limit=3&cursor=${second}`)).toEqual([first]);
      expect(await listed(server, "?app=shop")).toEqual([fourth, second, first]);
      expect(await listed(server, "?app=shop&fn=buy")).toEqual([fourth, first]);
      expect(await listed(server, `?fn=${side.buy}`)).toEqual([third]);
      expect(await listed(server, "?app=void")).toEqual([]);
      const { json } = await askJson(server, "GET /chaya/v1/dead-letters?limit=3");
      expect(json).toMatchObject({ nextCursor: second });
    });

    it("shows one with its function, its problem and the size of its body", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const shop = await newApplication(server, "shop", ["buy"]);
      const [id] = await die(server, [String(shop.buy)]);
      const { status, json } = await askJson(server, `GET /chaya/v1/dead-letters/${id}`);
      expect(status).toBe(200);
      expect(json).toEqual({
        ...{ id, kind: "call", application: "shop", function: "buy", attempts: 1, problem, bodyBytes: 5 },
        acceptedAt: expect.stringMatching(/Z$/),
        diedAt: expect.stringMatching(/Z$/),
      });
    });

    it("redrives one, once, and deletes one, once", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const shop = await newApplication(server, "shop", ["buy"]);
      const [again, gone] = await die(server, [String(shop.buy), String(shop.buy)]);
      const missing = { status: 404, json: { code: "dead-letter-not-found" } };
      const count = () => server.work.count("call", String(shop.buy));
      expect(await askJson(server, `DELETE /chaya/v1/dead-letters/${gone}`)).toEqual({ status: 204, json: undefined });
      expect(await askJson(server, `DELETE /chaya/v1/dead-letters/${gone}`)).toMatchObject(missing);
      expect(await askJson(server, `POST /chaya/v1/dead-letters/${again}/redrive`)).toEqual({
        status: 204,
        json: undefined,
      });
      await expect
        .poll(() => server.opened.store.db.selectFrom("work").select("id").execute())
        .toEqual([{ id: again }]);
      expect(await askJson(server, `POST /chaya/v1/dead-letters/${again}/redrive`)).toMatchObject(missing);
      expect(await count()).toBe(1);
    });

    it("keeps the letter when its function is gone, and says so", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const shop = await newApplication(server, "shop", ["buy"]);
      const [id] = await die(server, [String(shop.buy)]);
      await askJson(server, `DELETE /v2/fns/${shop.buy}`);
      const redriven = await askJson(server, `POST /chaya/v1/dead-letters/${id}/redrive`);
      expect(redriven).toMatchObject({ status: 404, json: { code: "function-not-found" } });
      const { json } = await askJson(server, `GET /chaya/v1/dead-letters/${id}`);
      expect(json).toMatchObject({ id, problem });
      expect(json).not.toHaveProperty("function");
    });

    it("refuses cursors, applications and functions it does not know", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      await newApplication(server, "shop", []);
      const codeOf = async (query: string) =>
        Object((await askJson(server, `GET /chaya/v1/dead-letters${query}`)).json).code;
      expect(await codeOf("?cursor=x")).toBe("cursor-invalid");
      expect(await codeOf("?app=none")).toBe("application-not-found");
      expect(await codeOf("?app=shop&fn=none")).toBe("function-not-found");
      expect(await codeOf("?page=2")).toBe("request-invalid");
      expect(await askJson(server, "GET /chaya/v1/dead-letters/none")).toMatchObject({ status: 404 });
    });
  });

/** The ids of its functions by name. */
async function newApplication(server: FunctionRecordsServer, name: string, functions: readonly string[]) {
  const application = await create(server, "apps", { name });
  const ids = new Map<string, string>();
  for (const fn of functions) ids.set(fn, await create(server, "fns", { app_id: application, name: fn, image: "i" }));
  return Object.fromEntries(ids);
}

/** Lets a call die for each lane, in order; returns the ids. */
async function die(server: FunctionRecordsServer, lanes: readonly string[]): Promise<readonly string[]> {
  const dead = new Set<string>();
  server.work.register({
    name: "call",
    placesReserved: 1,
    admit: () => (dead.size < lanes.length ? 1 : 0),
    run: async ({ id }) => {
      dead.add(id);
      return { kind: "dead", problem };
    },
  });
  await server.work.start();
  const ids = lanes.map(() => server.newId());
  for (const [index, lane] of lanes.entries())
    await server.work.add({
      ...{ id: ids[index] ?? "", kind: "call", lane, dueAtMs: 0, attemptsMax: 1, ageMsMax: 60_000 },
      ...{ payload: Buffer.from("hello"), details: { functionId: lane }, causeId: undefined, traceId: undefined },
    });
  await expect
    .poll(() => server.work.deadLetters.list({ kind: "call", countMax: 100 }), patiently)
    .toHaveLength(lanes.length);
  return ids;
}

async function listed(server: FunctionRecordsServer, query: string): Promise<readonly string[]> {
  const { status, json } = await askJson(server, `GET /chaya/v1/dead-letters${query}`);
  expect(status).toBe(200);
  return Object.values(Object(json).items).map((item) => String(Object(item).id));
}
