import { limits, Problem } from "@chaya/contract";
import { chayaRoutes } from "@chaya/contract/chaya";
import { fnRoutes } from "@chaya/contract/fn";
import { ocidOf } from "@chaya/contract/oci";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Authorize } from "../../http/authorize.ts";
import { createControlServer } from "../../http/control/control-server.ts";
import { control } from "../../http/control-route.ts";
import { createIds, idPrefixAt } from "../../kernel/ids.ts";
import { Lifetime } from "../../kernel/lifetime.ts";
import { silentLogger } from "../../kernel/logger.ts";
import { seededRandom } from "../../kernel/random.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { exchangeRaw } from "../../testing/raw-http.ts";
import { type OpenTestStore, testStores } from "../../testing/stores.ts";
import { startTestFront } from "../../testing/test-front.ts";
import { AuditEvents } from "./audit-events.ts";
import { auditRoutes } from "./handlers.ts";

const appId = "01KB0000000000000000000001";
const root = { compartmentId: "ROOT" };

describe.each(testStores())("an audit on $kind", (testStore) => {
  let lifetime: Lifetime;
  let opened: OpenTestStore;
  let clock: ManualClock;
  let events: AuditEvents;
  let port: number;
  let handle: () => Promise<{ readonly id: string; readonly name: string }>;
  let authorize: Authorize;

  beforeEach(async () => {
    lifetime = new Lifetime();
    clock = new ManualClock();
    opened = lifetime.own(await testStore.open(clock));
    const [logger, newId] = [silentLogger(), createIds(clock, seededRandom(7))];
    events = lifetime.own(new AuditEvents({ store: opened.store, clock, newId, logger }));
    handle = async () => ({ id: appId, name: "photos" });
    authorize = () => true;
    const view = { created_at: "t", updated_at: "t" };
    const routes = [
      control(
        fnRoutes.createApp,
        () => root,
        async () => ({ result: { ...view, ...(await handle()) } }),
      ),
      control(
        fnRoutes.deleteApp,
        () => ({ compartmentId: "C" }),
        async () => ({}),
      ),
      control(
        fnRoutes.getApp,
        () => root,
        async () => ({ result: { ...view, ...(await handle()) } }),
      ),
      ...auditRoutes({ events, root }),
    ];
    const deps = { clock, logger, audit: events, reached: async () => {} };
    const server = lifetime.own(
      await createControlServer({ ...deps, authorize: (...asked) => authorize(...asked) }, routes),
    );
    port = lifetime.own(await startTestFront(server.served, { clock })).port;
  });
  afterEach(() => lifetime[Symbol.asyncDispose]());

  const ask = async (line: string, body = "") => {
    const head = `${line} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: tester/1\r\nContent-Length: ${body.length}\r\n\r\n`;
    const answer = await exchangeRaw(port, head + body);
    return { status: answer?.status, json: answer?.body ? JSON.parse(answer.body) : undefined };
  };
  const list = async (query = "") => (await ask(`GET ${chayaRoutes.listAuditEvents.path}${query}`)).json.items;

  it("has a row of the change before it is made, and its end before it is answered", async () => {
    const seen: unknown[] = [];
    handle = async () => {
      seen.push(...(await opened.store.db.selectFrom("audit_events").selectAll().execute()));
      return { id: appId, name: "photos" };
    };
    expect((await ask("POST /v2/apps", '{"name":"photos","config":{"KEY":"hunter2"}}')).status).toBe(200);
    expect(seen).toMatchObject([{ operation: "CreateApplication", status: null, finished_at_ms: null }]);
    const [event] = await list();
    expect(event).toMatchObject({
      ...{ operation: "CreateApplication", method: "POST", path: "/v2/apps", status: 200 },
      ...{ resourceId: appId, resourceName: "photos", compartmentId: "ROOT", userAgent: "tester/1" },
      principal: { kind: "administrator" },
    });
    expect(event.problem).toBeUndefined();
    expect(JSON.stringify(event)).not.toContain("hunter2");
  });

  it("tells what was refused and why, and what failed", async () => {
    handle = async () => {
      throw new Problem("application-exists", { application: "photos" });
    };
    await ask("POST /v2/apps", "{}");
    handle = async () => {
      throw new Error("a bug");
    };
    await ask("POST /v2/apps", "{}");
    authorize = (_, auth) => auth.operation !== "DeleteApplication";
    expect((await ask(`DELETE /v2/apps/${appId}`)).status).toBe(404);
    const refused = await list("?outcome=refused");
    expect(refused.map(({ status, problem }: Record<string, unknown>) => [status, problem])).toEqual([
      [404, "not-authorized"],
      [500, "internal"],
      [409, "application-exists"],
    ]);
    expect(refused[0]).toMatchObject({ resourceId: appId, compartmentId: "C" });
  });

  it("shows a change whose server ended in between as one without an end", async () => {
    const { promise: reached, resolve: arrive } = Promise.withResolvers<void>();
    handle = () => {
      arrive();
      return new Promise(() => {});
    };
    void ask("POST /v2/apps", "{}");
    await reached;
    expect(await list("?outcome=unknown")).toMatchObject([{ operation: "CreateApplication" }]);
    expect(await list("?outcome=done")).toEqual([]);
  });

  it("has nothing of requests that only read", async () => {
    await ask(`GET /v2/apps/${appId}`);
    expect(await list()).toEqual([]);
  });

  it("is searched by whom, what, where and when, page by page, and finds a thing by its OCID too", async () => {
    for (let count = 0; count < 5; count++) {
      await ask("POST /v2/apps", "{}");
      await clock.advance(1_000);
    }
    await ask(`DELETE /v2/apps/${appId}`);
    const first = (await ask("GET /chaya/v1/audit?limit=4")).json;
    const second = (await ask(`GET /chaya/v1/audit?limit=4&cursor=${first.nextCursor}`)).json;
    expect([first.items.length, second.items.length, second.nextCursor]).toEqual([4, 2, undefined]);
    expect(first.items[0].operation).toBe("DeleteApplication");
    expect(await list("?operation=CreateApplication")).toHaveLength(5);
    expect(await list(`?resource=${ocidOf("fnapp", appId, "us-ashburn-1")}`)).toHaveLength(6);
    expect(await list("?compartment=C")).toHaveLength(1);
    expect(await list("?principal=administrator")).toHaveLength(6);
    expect(await list("?principal=nobody")).toEqual([]);
    const until = new Date(clock.nowMs() - 3_500).toISOString();
    expect(await list(`?until=${until}`)).toHaveLength(2);
    expect(await list(`?since=${until}`)).toHaveLength(4);
    expect((await ask("GET /chaya/v1/audit?cursor=x")).json.code).toBe("cursor-invalid");
  });

  it("shows only what happened where its reader may look", async () => {
    await ask("POST /v2/apps", "{}");
    await ask(`DELETE /v2/apps/${appId}`);
    authorize = (_principal, _auth, place) => place === "anywhere" || place.compartmentId === "C";
    expect(await list()).toMatchObject([{ operation: "DeleteApplication" }]);
  });

  it("forgets what is older than its limit", async () => {
    await ask("POST /v2/apps", "{}");
    await ask(`DELETE /v2/apps/${appId}`);
    const [old] = await list("?operation=CreateApplication");
    const madeAt = idPrefixAt(clock.nowMs() - limits.auditEventsAgeMsMax);
    const aging = opened.store.db.updateTable("audit_events").set({ id: madeAt + old.id.slice(10) });
    await opened.store.apply([{ query: aging.where("id", "=", old.id), expect: 1 }]);
    const count = async () => (await opened.store.db.selectFrom("audit_events").select("id").execute()).length;
    expect(await count()).toBe(2);
    await clock.advance(3_600_000);
    await expect.poll(count).toBe(1);
  });
});
