import { describe, expect, it } from "vitest";
import { systemClock } from "../kernel/clock.ts";
import { createIds } from "../kernel/ids.ts";
import { silentLogger } from "../kernel/logger.ts";
import { systemRandom } from "../kernel/random.ts";
import { askJson, create, startFunctionRecordsServer } from "../testing/function-records-server.ts";
import { type OpenTestStore, testStores } from "../testing/stores.ts";
import type { Change, ChangesFeed } from "../work/changes.ts";
import { createDirectory } from "./directory.ts";
import type { DirectoryChange } from "./model.ts";

/** The machine may be busy. */
const patiently = { timeout: 10_000 };

for (const testStore of testStores())
  describe(`the directory on ${testStore.kind}`, () => {
    it("shows what this node changed before it answers", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const { directory, resolve } = server.records;
      const app = await create(server, "apps", { name: "shop", config: { A: "1" } });
      expect(directory.applicationNamed("shop")).toMatchObject({ id: app, config: { A: "1" } });
      const fn = await create(server, "fns", {
        app_id: app,
        name: "buy",
        image: "i",
        annotations: { "chaya/retries": 2 },
      });
      expect(directory.functionNamed(app, "buy")).toMatchObject({ id: fn, settings: { retries: 2, concurrency: 1 } });
      const trigger = await create(server, "triggers", {
        app_id: app,
        fn_id: fn,
        name: "t",
        type: "http",
        source: "/a",
      });
      expect(directory.triggerAt(app, "/a")).toMatchObject({ id: trigger, functionId: fn });
      await askJson(server, `PUT /v2/triggers/${trigger}`, { source: "/b" });
      expect([directory.triggerAt(app, "/a"), directory.triggerAt(app, "/b")?.id]).toEqual([undefined, trigger]);
      await askJson(server, `PUT /v2/fns/${fn}`, { memory: 512 });
      expect([...directory.functions()]).toMatchObject([{ id: fn, memoryMiB: 512 }]);
      expect(resolve.application("shop")?.id).toBe(app);
      expect([resolve.function("buy", app)?.id, resolve.function(fn, undefined)?.id]).toEqual([fn, fn]);
      expect([resolve.function("buy", undefined), resolve.function(fn, "other")]).toEqual([undefined, undefined]);
    });

    it("lets everything go that was in what is deleted, and tells of each after it is gone", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const { directory } = server.records;
      const app = await create(server, "apps", { name: "shop" });
      const [one = "", two = ""] = [
        await create(server, "fns", { app_id: app, name: "one", image: "i" }),
        await create(server, "fns", { app_id: app, name: "two", image: "i" }),
      ];
      const at = (fn: string, name: string) =>
        create(server, "triggers", { app_id: app, fn_id: fn, name, type: "http", source: `/${name}` });
      const [first, second, third] = [await at(one, "first"), await at(two, "second"), await at(two, "third")];
      const told: DirectoryChange[] = [];
      using listening = directory.onChange((change) => {
        if (change.kind === "function") expect(directory.function(change.id)).toBeUndefined();
        told.push(change);
      });
      await askJson(server, `DELETE /v2/fns/${one}`);
      expect(told).toEqual([
        { kind: "trigger", id: first },
        { kind: "function", id: one },
      ]);
      await askJson(server, `DELETE /v2/apps/${app}`);
      expect(told.slice(2)).toEqual([
        { kind: "trigger", id: second },
        { kind: "trigger", id: third },
        { kind: "function", id: two },
        { kind: "application", id: app },
      ]);
      listening[Symbol.dispose]();
      expect([directory.applicationNamed("shop"), directory.triggerAt(app, "/second")]).toEqual([undefined, undefined]);
      await create(server, "apps", { name: "shop" });
      expect([told.length, directory.applicationNamed("shop")?.id === app]).toEqual([6, false]);
    });

    it("loads what there is when it starts", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const app = await create(server, "apps", { name: "shop" });
      const fn = await create(server, "fns", { app_id: app, name: "buy", image: "i" });
      await create(server, "triggers", { app_id: app, fn_id: fn, name: "t", type: "http", source: "/a" });
      using directory = await createDirectory({ ...server.opened, changes: feed(), logger: silentLogger() });
      expect(directory.triggerAt(directory.applicationNamed("shop")?.id ?? "", "/a")?.functionId).toBe(fn);
    });

    it("shows on another node what this one changed", async () => {
      await using opened = await testStore.open();
      await using here = await startFunctionRecordsServer(await opened.openSecond());
      await using there = await startFunctionRecordsServer(await opened.openSecond());
      const app = await create(here, "apps", { name: "shop" });
      const fn = await create(here, "fns", { app_id: app, name: "buy", image: "me/buy:1" });
      await expect.poll(() => there.records.directory.function(fn)?.image, patiently).toBe("me/buy:1");
      const { headers } = await here.ask({ method: "PUT", path: `/v2/fns/${fn}`, body: '{"image":"me/buy:2"}' });
      const seq = String(headers["chaya-seq"]);
      await there.ask({ method: "GET", path: `/v2/fns/${fn}`, headers: { "Chaya-Seq": seq } });
      expect(there.records.directory.function(fn)?.image).toBe("me/buy:2");
      await askJson(here, `DELETE /v2/apps/${app}`);
      await expect.poll(() => there.records.directory.function(fn), patiently).toBeUndefined();
    });

    it("loads everything again after it missed changes, and tells of all that may differ", async () => {
      await using server = await startFunctionRecordsServer(await testStore.open());
      const app = await create(server, "apps", { name: "shop" });
      const kept = await create(server, "fns", { app_id: app, name: "kept", image: "i" });
      const gone = await create(server, "fns", { app_id: app, name: "gone", image: "i" });
      const changes = feed();
      using directory = await createDirectory({ ...server.opened, changes, logger: silentLogger() });
      const told: DirectoryChange[] = [];
      using _listening = directory.onChange((change) => void told.push(change));
      await askJson(server, `DELETE /v2/fns/${gone}`);
      const made = await create(server, "fns", { app_id: app, name: "made", image: "i" });
      expect(directory.function(gone)).toBeDefined();
      await changes.tell({ seq: 99, kind: "reset", id: "" });
      expect([...directory.functions()].map(({ id }) => id).sort()).toEqual([kept, made].sort());
      for (const id of [kept, gone, made]) expect(told).toContainEqual({ kind: "function", id });
      expect(told.slice(-2)).toEqual([
        { kind: "application", id: app },
        { kind: "secret", id: app },
      ]);
    });

    it("passes on that secrets changed, and ignores kinds of others", async () => {
      await using opened = await testStore.open();
      const changes = feed();
      using directory = await createDirectory({ ...opened, changes, logger: silentLogger() });
      const told: DirectoryChange[] = [];
      using _listening = directory.onChange((change) => void told.push(change));
      await changes.tell({ seq: 1, kind: "secret", id: "app" });
      await changes.tell({ seq: 2, kind: "bucket", id: "b" });
      expect(told).toEqual([{ kind: "secret", id: "app" }]);
    });

    it("loads 10,000 functions and 10,000 triggers quickly", async () => {
      await using opened = await testStore.open();
      await fill(opened, 10_000);
      const clock = systemClock();
      const startedMs = clock.monotonicMs();
      using directory = await createDirectory({ ...opened, changes: feed(), logger: silentLogger() });
      const tookMs = clock.monotonicMs() - startedMs;
      expect([...directory.functions()]).toHaveLength(10_000);
      expect(directory.triggerAt("app", "/9999")).toBeDefined();
      // The aim is 300 ms on a quiet machine; tests share theirs.
      expect(tookMs).toBeLessThan(2_000);
    });
  });

/** A feed that says what the test lets it say. */
function feed(): ChangesFeed & { tell(change: Change): Promise<void> } {
  const listeners = new Set<(change: Change) => Promise<void>>();
  const nothing = async () => {};
  return {
    tell: async (change) => {
      for (const listener of listeners) await listener(change);
    },
    onChange: (listener) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    ...{ append: async () => 0, published: nothing, reached: nothing, start: nothing, [Symbol.asyncDispose]: nothing },
  };
}

async function fill({ store }: OpenTestStore, count: number): Promise<void> {
  const newId = createIds(systemClock(), systemRandom());
  const resource = () => ({
    ...{ id: newId(), compartment_id: "root", tags: "{}", etag: "e", version: 1, created_by: "me" },
    ...{ cause_id: null, trace_id: null, created_at_ms: 1, updated_at_ms: 1 },
  });
  const texts = { config: '{"A":"1","B":"2"}', annotations: '{"chaya/retries":3,"note":"x"}', shape: "", oci: "{}" };
  const sizes = { memory_mib: 128, timeout_s: 30, idle_timeout_s: 30 };
  for (let from = 0; from < count; from += 500) {
    const rows = Array.from({ length: 500 }, (_, index) => String(from + index));
    const functions = rows.map((name) => ({
      ...resource(),
      ...texts,
      ...sizes,
      application_id: "app",
      name,
      image: "i",
    }));
    const triggers = functions.map(({ id, name }) => ({
      ...{
        ...resource(),
        application_id: "app",
        function_id: id,
        name,
        type: "http",
        source: `/${name}`,
        annotations: "{}",
      },
    }));
    await store.apply([
      { query: store.db.insertInto("functions").values(functions) },
      { query: store.db.insertInto("triggers").values(triggers) },
    ]);
  }
}
