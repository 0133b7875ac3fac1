import { describe, expect, it } from "vitest";
import {
  askJson,
  create,
  type FunctionRecordsServer,
  startFunctionRecordsServer,
} from "../testing/function-records-server.ts";
import { testStores } from "../testing/stores.ts";

for (const testStore of testStores())
  describe(`records of functions on ${testStore.kind}`, () => {
    it("lets one of many win who create the same at the same moment", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const answers = await race(8, () => askJson(server, "POST /v2/apps", { name: "shop" }));
      expect(answers).toEqual([200, ...Array(7).fill(409)]);
      const app_id = Object(await oneApp(server)).id;
      expect(await race(8, () => askJson(server, "POST /v2/fns", { app_id, name: "f", image: "i" }))).toEqual([
        200,
        ...Array(7).fill(409),
      ]);
    });

    it("keeps every one of many changes to a function made at the same moment", async () => {
      await using opened = await testStore.open();
      await using here = await startFunctionRecordsServer(await opened.openSecond());
      await using there = await startFunctionRecordsServer(await opened.openSecond());
      const fn_id = await create(here, "fns", {
        app_id: await create(here, "apps", { name: "a" }),
        name: "f",
        image: "i",
      });
      const put = (index: number) => {
        const config = { [`K${index}`]: String(index) };
        return askJson(index % 2 === 0 ? here : there, `PUT /v2/fns/${fn_id}`, { config, image: `i:${index}` });
      };
      expect(await race(10, put)).toEqual(Array(10).fill(200));
      const { json } = await askJson(here, `GET /v2/fns/${fn_id}`);
      expect(Object.keys(Object(json).config)).toHaveLength(10);
      expect(Object((await askJson(here, `GET /chaya/v1/functions/${fn_id}/images`)).json).items).toHaveLength(10);
    });

    it("never leaves a function in an application that is deleted at the same moment", async () => {
      await using opened = await testStore.open();
      await using here = await startFunctionRecordsServer(await opened.openSecond());
      await using there = await startFunctionRecordsServer(await opened.openSecond());
      for (let round = 0; round < 10; round++) {
        const app_id = await create(here, "apps", { name: `a${round}` });
        await Promise.all([
          askJson(here, "POST /v2/fns", { app_id, name: "f", image: "i" }),
          askJson(there, `DELETE /v2/apps/${app_id}`),
        ]);
      }
      for (const table of ["functions", "images"] as const)
        expect(await opened.store.db.selectFrom(table).select("image").execute()).toEqual([]);
    });

    it("lists triggers of one name across pages, none twice and none left out", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const app_id = await create(server, "apps", { name: "shop" });
      const ids: string[] = [];
      for (const name of ["a", "b", "c", "d"]) {
        const fn_id = await create(server, "fns", { app_id, name, image: "i" });
        ids.push(await create(server, "triggers", { app_id, fn_id, name: "same", type: "http", source: `/${name}` }));
      }
      ids.push(
        await create(server, "triggers", {
          app_id,
          fn_id: await fnOf(server, app_id),
          name: "z",
          type: "http",
          source: "/z",
        }),
      );
      const seen: string[] = [];
      for (let query = `app_id=${app_id}&per_page=1`; ; ) {
        const { json } = await askJson(server, `GET /v2/triggers?${query}`);
        const items: readonly unknown[] = Object(json).items;
        if (items.length === 0) break;
        seen.push(...items.map((item) => String(Object(item).id)));
        query = `app_id=${app_id}&per_page=1&cursor=${Object(json).next_cursor}`;
      }
      expect(seen).toEqual(ids);
    });

    it("deletes an application of 1,000 functions with all that is theirs", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const app_id = await create(server, "apps", { name: "big" });
      const fn_id = await create(server, "fns", { app_id, name: "f", image: "i" });
      await create(server, "triggers", { app_id, fn_id, name: "t", type: "http", source: "/t" });
      await multiply(server, 1_000);
      expect(await askJson(server, `DELETE /v2/apps/${app_id}`)).toEqual({ status: 204, json: undefined });
      const { db } = server.opened.store;
      for (const table of ["functions", "triggers"] as const)
        expect(await db.selectFrom(table).select("id").execute()).toEqual([]);
      expect(await db.selectFrom("images").select("image").execute()).toEqual([]);
    });

    it("takes what no column could hold without an escape", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const app_id = await create(server, "apps", {
        name: "a",
        annotations: { k: { "a\0b": "\0" } },
        config: { ключ: "\u{1f600}" },
      });
      const { json } = await askJson(server, `GET /v2/apps/${app_id}`);
      expect(json).toMatchObject({ annotations: { k: { "a\0b": "\0" } }, config: { ключ: "\u{1f600}" } });
      const nul = await askJson(server, "POST /v2/fns", { app_id, name: "f", image: "i\0" });
      expect(nul).toMatchObject({ status: 400, json: { message: expect.stringContaining("must not contain NUL") } });
    });
  });

async function race(
  count: number,
  ask: (index: number) => Promise<{ readonly status: number }>,
): Promise<readonly number[]> {
  const answers = await Promise.all(Array.from({ length: count }, (_, index) => ask(index)));
  return answers.map(({ status }) => status).sort();
}

async function oneApp(server: FunctionRecordsServer): Promise<unknown> {
  return Object((await askJson(server, "GET /v2/apps")).json).items[0];
}

async function fnOf(server: FunctionRecordsServer, app_id: string): Promise<string> {
  return String(Object((await askJson(server, `GET /v2/fns?app_id=${app_id}`)).json).items[0].id);
}

/** Copies the one function with its trigger, ten images each. */
async function multiply(server: FunctionRecordsServer, count: number): Promise<void> {
  const { store } = server.opened;
  const [fn] = await store.db.selectFrom("functions").selectAll().execute();
  const [trigger] = await store.db.selectFrom("triggers").selectAll().execute();
  if (fn === undefined || trigger === undefined) throw new Error("there is nothing to copy");
  const functions = Array.from({ length: count }, (_, index) => ({ ...fn, id: server.newId(), name: `f${index}` }));
  const triggers = functions.map(({ id, name }) => ({
    ...{ ...trigger, id: server.newId(), function_id: id, name, source: `/${name}` },
  }));
  const images = functions.flatMap(({ id }) =>
    Array.from({ length: 10 }, (_, seq) => ({ function_id: id, image: `i:${seq}`, seq, created_at_ms: 1 })),
  );
  for (let from = 0; from < count; from += 250)
    await store.apply([
      { query: store.db.insertInto("functions").values(functions.slice(from, from + 250)) },
      { query: store.db.insertInto("triggers").values(triggers.slice(from, from + 250)) },
      { query: store.db.insertInto("images").values(images.slice(from * 10, (from + 250) * 10)) },
    ]);
}
