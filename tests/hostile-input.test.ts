import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exchangeRaw } from "../packages/server/src/testing/raw-http.ts";
import { testStores } from "../packages/server/src/testing/stores.ts";
import { type Answer, endedCall, send } from "./calls.ts";
import { deployCode } from "./deploy-code.ts";
import { startTestPlatform, type TestPlatform } from "./test-platform.ts";
import { wildFunction } from "./wild-function.ts";

const forgedId = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const spoofed = [
  `Fn-Call-Id: ${forgedId}`,
  "Fn-Deadline: 2099-01-01T00:00:00Z",
  "Chaya-Attempt: 99",
  `Chaya-Chain: 15.${forgedId}.${"A".repeat(43)}`,
  "Chaya-Anything: forged",
  "X-Forwarded-For: 10.0.0.1",
  "X-Custom: kept",
  "X-Hop: dropped",
  "Connection: authorization, x-hop, fn-intent",
];

/** Neither letters, numbers, `_` nor `-`; for functions, neither what a path segment holds unescaped. */
const badNames = [
  ...["", "a".repeat(256), "é".repeat(128), "a b", "a/b", "a\nb", "a\0b", "a\u202eb", "emoji😀", "a%2e", "<b>", "a;rm"],
];
/** Odd, but names as Fn has them: they must be found again and harm nothing. */
const oddNames = ["con", "nul", "-leading", "--help", "__proto__", "constructor", "toString", "CON", "Con"];
const dotNames = [".", "..", "a.b"];
/** Latin and Cyrillic letters that look the same. */
const confusables = ["paypal", "pаypal"] as const;

for (const store of testStores())
  describe(`on the ${store.kind} store`, () => {
    let platform: TestPlatform;
    let fnId: string;
    let appId: string;
    let directory: string;
    beforeAll(async () => {
      platform = await startTestPlatform(store);
      directory = mkdtempSync(join(tmpdir(), "chaya-hostile-"));
      fnId = await deployCode(platform.url, { app: "target", name: "fn", code: wildFunction, trigger: "/fn" });
      appId = JSON.parse((await get(`/v2/fns/${fnId}`)).text).app_id;
    });
    afterAll(async () => {
      await platform[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    });

    describe("a client's headers", () => {
      it("never speak for the platform in a direct call", async () => {
        const seen = await headersSeen(`/invoke/${fnId}`);
        expect(seen.get("fn-call-id")).not.toContain(forgedId);
        expect(seen.get("fn-call-id")).toHaveLength(1);
        expect(seen.get("chaya-attempt")).toEqual(["1"]);
        expect(seen.get("chaya-chain")?.[0]).toMatch(/^0\./);
        expect(Date.parse(seen.get("fn-deadline")?.[0] ?? "")).toBeLessThan(Date.now() + 31_000);
        expect(seen.has("chaya-anything")).toBe(false);
        expect(seen.get("x-custom")).toEqual(["kept"]);
        for (const hop of ["x-hop", "connection"]) expect(seen.has(hop), hop).toBe(false);
      });

      it("reach a function behind a trigger with a prefix, whatever they are called", async () => {
        const seen = await headersSeen("/t/target/fn", "Authorization: Bearer mine");
        expect(seen.get("fn-call-id")).not.toContain(forgedId);
        expect(seen.get("fn-intent")).toEqual(["httprequest"]);
        expect(seen.get("fn-http-method")).toEqual(["POST"]);
        expect(seen.get("fn-http-h-x-custom")).toEqual(["kept"]);
        for (const name of seen.keys())
          expect(name).toMatch(/^(fn-|chaya-(attempt|chain)$|host$|transfer-encoding$|content-type$)/);
        for (const name of ["chaya-anything", "fn-http-h-chaya-anything", "fn-http-h-authorization", "fn-http-h-x-hop"])
          expect(seen.has(name), name).toBe(false);
      });

      it("with a forged call context count as none", async () => {
        const headers = { "Chaya-Chain": `15.${forgedId}.${"A".repeat(43)}` };
        const answer = await send(`${platform.url}/invoke/${fnId}`, { echo: 1 }, { headers });
        const record = await endedCall(platform.url, answer.headers.get("fn-call-id") ?? "");
        expect(record).toMatchObject({ status: "succeeded" });
        expect(record.causeId).toBeUndefined();
      });

      it("cannot name two hosts, nor rewrite the path", async () => {
        const body = '{"echo":1}';
        const request = (extra: string) =>
          `POST /invoke/${fnId} HTTP/1.1\r\nHost: localhost\r\n${extra}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
        expect((await exchangeRaw(platform.port, request("Host: evil.example")))?.status).toBe(400);
        const rewritten = await exchangeRaw(
          platform.port,
          request("X-Original-URL: /v2/apps\r\nX-Rewrite-URL: /v2/apps"),
        );
        expect(rewritten).toMatchObject({ status: 200, body: "1" });
      });

      it("cannot keep credentials from being judged", async () => {
        const head = [`POST /invoke/${fnId} HTTP/1.1`, "Host: localhost", ...spoofed, "Authorization: Bearer mine"];
        const answer = await exchangeRaw(platform.port, `${head.join("\r\n")}\r\nContent-Length: 2\r\n\r\n{}`);
        expect(answer).toMatchObject({ status: 401 });
      });

      async function headersSeen(
        path: string,
        ...more: readonly string[]
      ): Promise<ReadonlyMap<string, readonly string[]>> {
        const body = '{"headers":null}';
        const head = [
          `POST ${path} HTTP/1.1`,
          "Host: localhost",
          ...spoofed,
          ...more,
          `Content-Length: ${body.length}`,
        ];
        const answer = await exchangeRaw(platform.port, `${head.join("\r\n")}\r\n\r\n${body}`);
        expect(answer?.status, answer?.body).toBe(200);
        expect(answer?.headers["fn-call-id"]).not.toBe(forgedId);
        const flat: string[] = JSON.parse(answer?.body ?? "[]");
        const seen = new Map<string, string[]>();
        for (let index = 0; index < flat.length; index += 2) {
          const name = flat[index]?.toLowerCase() ?? "";
          seen.set(name, [...(seen.get(name) ?? []), flat[index + 1] ?? ""]);
        }
        return seen;
      }
    });

    describe("a name", () => {
      it.each(badNames)("like %j is refused for applications, functions and triggers", async (name) => {
        const answers = [await addApplication(name), await addFunction(name), await addTrigger(name)];
        expect(answers.map(({ status }) => status)).toEqual([400, 400, 400]);
        for (const { text } of answers) expect(JSON.parse(text).message).toMatch(/name/i);
      });

      it.each(oddNames)("like %j is a name like any other", async (name) => {
        for (const { add, list } of [
          { add: addApplication, list: "/v2/apps?" },
          { add: addFunction, list: `/v2/fns?app_id=${appId}&` },
          { add: addTrigger, list: `/v2/triggers?app_id=${appId}&` },
        ]) {
          const added = await add(name);
          expect(added.status, added.text).toBe(200);
          const listed = await get(`${list}name=${encodeURIComponent(name)}`);
          expect(JSON.parse(listed.text).items).toMatchObject([{ id: JSON.parse(added.text).id, name }]);
        }
      });

      it.each(dotNames)("like %j is one of functions only, and leads nowhere", async (name) => {
        expect([(await addApplication(name)).status, (await addTrigger(name)).status]).toEqual([400, 400]);
        const id = await deployCode(platform.url, { app: "target", name, code: wildFunction });
        expect(await send(`${platform.url}/invoke/${id}`, { echo: name })).toMatchObject({ status: 200 });
      });

      it("that only looks like another is another", async () => {
        const ids = [];
        for (const name of confusables) ids.push(JSON.parse((await addApplication(name)).text).id);
        expect(new Set(ids).size).toBe(2);
        const listed = await get(`/v2/apps?name=${encodeURIComponent(confusables[1])}`);
        expect(JSON.parse(listed.text).items).toMatchObject([{ id: ids[1] }]);
      });
    });

    describe("JSON", () => {
      const deep = (open: string, close: string) => `${open.repeat(100_000)}1${close.repeat(100_000)}`;

      it.each([
        ["a prototype in config", '{"name":"x1","config":{"__proto__":{"polluted":"yes"}}}'],
        ["a prototype's key as config", '{"name":"x2","config":{"__proto__":"yes"}}'],
        [
          "a constructor's prototype in annotations",
          '{"name":"x3","annotations":{"constructor":{"prototype":{"a":1}}}}',
        ],
        ["a prototype deep in annotations", '{"name":"x4","annotations":{"a":{"b":{"__proto__":{"polluted":1}}}}}'],
        ["100,000 nested arrays", `{"name":"x5","annotations":{"a":${deep("[", "]")}}}`],
        ["100,000 nested objects", `{"name":"x6","annotations":{"a":${deep('{"a":', "}")}}}`],
        ["a number beyond a double", '{"name":"x7","annotations":{"a":1e309}}'],
        ["half a surrogate", '{"name":"x8","annotations":{"a":"\\ud800"}}'],
        ["nothing at all", ""],
        ["what is no JSON", "{name: x9}"],
      ])("with %s is refused and changes nothing", async (_, body) => {
        const before = await get("/v2/apps?per_page=100");
        const answer = await send(`${platform.url}/v2/apps`, body);
        expect([400, 413], answer.text).toContain(answer.status);
        expect((await get("/v2/apps?per_page=100")).text).toBe(before.text);
        expect(Object.prototype).not.toHaveProperty("polluted");
      });

      it("of 200 MB is refused before it is sent", async () => {
        const head = "POST /v2/apps HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000000\r\n\r\n";
        expect((await exchangeRaw(platform.port, head))?.status).toBe(413);
      });

      it("of our own resources is read strictly", async () => {
        const rollback = `${platform.url}/chaya/v1/functions/${fnId}/rollback`;
        for (const body of ['{"image":"a","image":"b"}', '{"image":1}', '{"other":1}', "\ufeff{}", "{} {}", "[]"])
          expect(await send(rollback, body), body).toMatchObject({ status: 400 });
      });

      it("for a function is the function's own business", async () => {
        const body = '{"echo":{"__proto__":1,"a":1,"a":2}}';
        expect(await send(`${platform.url}/invoke/${fnId}`, body)).toMatchObject({
          status: 200,
          text: '{"__proto__":1,"a":2}',
        });
      });
    });

    describe("an image", () => {
      const canary = () => join(directory, "canary");

      it.each([
        ...["-v", "--privileged", "-v /:/host", ";rm -rf /", "a;touch CANARY", "$(touch CANARY)", "`touch CANARY`"],
        ...["a\ntouch CANARY", "../../etc/passwd", "bundle/../..:sha256-x", `bundle/a/b:sha256-${"../".repeat(21)}x`],
        ...[`bundle/a/b:sha256-${"A".repeat(64)}`, "file:///etc/passwd", "|touch CANARY", "a && touch CANARY"],
      ])("called %j never reaches a shell", async (text) => {
        const image = text.replace("CANARY", canary());
        const put = await send(`${platform.url}/v2/fns`, {
          app_id: appId,
          name: `i${image.length}-${Buffer.from(image).toString("hex").slice(0, 60)}`,
          image,
        });
        expect(put.status, put.text).toBe(200);
        const answer = await send(`${platform.url}/invoke/${JSON.parse(put.text).id}`, "");
        expect(answer.status).toBe(502);
        expect(JSON.parse(answer.text)).toMatchObject({
          ...{ code: "image-unavailable", message: expect.stringContaining(`Failed to pull image '${image}'`) },
        });
        expect(existsSync(canary())).toBe(false);
      });

      it("with more text than an image has is refused", async () => {
        const answer = await send(`${platform.url}/v2/fns`, { app_id: appId, name: "long", image: "x".repeat(2_000) });
        expect(answer.status).toBe(400);
      });
    });

    function get(path: string): Promise<Answer> {
      return send(`${platform.url}${path}`, undefined, { method: "GET" });
    }

    function addApplication(name: string): Promise<Answer> {
      return send(`${platform.url}/v2/apps`, { name });
    }

    function addFunction(name: string): Promise<Answer> {
      return send(`${platform.url}/v2/fns`, { app_id: appId, name, image: "example.com/a:1" });
    }

    function addTrigger(name: string): Promise<Answer> {
      const source = `/${encodeURIComponent(name)}-source`;
      return send(`${platform.url}/v2/triggers`, { app_id: appId, fn_id: fnId, name, type: "http", source });
    }
  });
