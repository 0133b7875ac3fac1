import { type AnyRoute, type Method, publicRoutes, route } from "@chaya/contract";
import { chayaRoutes } from "@chaya/contract/chaya";
import { fnRoutes } from "@chaya/contract/fn";
import { allRoutes } from "@chaya/contract/openapi";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../kernel/logger.ts";
import { exchangeRaw, RawClient } from "../../testing/raw-http.ts";
import { echo, startTestFront, type TestFront } from "../../testing/test-front.ts";
import type { ServedRoute } from "../exchange.ts";
import { ownerOf, RouteTable } from "../route-table.ts";

/** Every declared route, answered by its own name. */
const served: ServedRoute[] = Object.entries(allRoutes).map(([name, declared]) => ({
  route: declared,
  serve: ({ response }) => {
    response.writeHead(200, ["Content-Length", String(name.length), "Owner", name]);
    response.end(name);
  },
}));

let front: TestFront;
beforeAll(async () => {
  front = await startTestFront(served);
});
afterAll(() => front[Symbol.asyncDispose]());

const ask = (method: string, target: string, headers = "") =>
  exchangeRaw(front.port, `${method} ${target} HTTP/1.1\r\nHost: localhost:${front.port}\r\n${headers}\r\n`);

describe("who answers", () => {
  const segment = fc.stringMatching(/^[A-Za-z0-9._~%!$&'()*+,;=:@-]{1,20}$/);
  const rest = fc.array(fc.oneof(segment, fc.constant("")), { maxLength: 4 }).map((parts) => parts.join("/"));
  const pathOf = (declared: AnyRoute) =>
    fc
      .tuple(...declared.path.split("/").map((part) => samples(part, segment, rest)))
      .map((parts: string[]) => parts.join("/"));
  const methodOf = (method: Method) => (method === "ANY" ? "POST" : method);

  it("is exactly one route for every path a declared route describes", () => {
    const table = new RouteTable<string>();
    for (const [name, declared] of Object.entries(allRoutes)) table.add(declared, name);
    for (const [name, declared] of Object.entries(allRoutes)) {
      fc.assert(
        fc.property(pathOf(declared), (path) => {
          const owner = table.find(path);
          expect(owner && ownerOf(owner, methodOf(declared.method))?.value).toBe(name);
        }),
        { numRuns: 50 },
      );
    }
  });

  it("is nobody when two routes could own one path: they are not accepted", () => {
    const declare = (path: string): AnyRoute => route({ ...fnRoutes.getApp, path });
    for (const [one, other] of [
      ["/a/{id}", "/a/{name}"],
      ["/a/{id}", "/a/b"],
      ["/a/b", "/a/{id}"],
      ["/a/{rest...}", "/a/b/c"],
      ["/a/b/c", "/a/{rest...}"],
    ] as const) {
      const table = new RouteTable<string>();
      table.add(declare(one), one);
      expect(() => table.add(declare(other), other)).toThrow("has two owners");
    }
  });

  it("does not depend on how a path could be respelled", async () => {
    for (const target of [
      "//v2/apps",
      "/v2//apps",
      "/./v2/apps",
      "/v2/./apps",
      "/v2/x/../apps",
      "/v2/%61pps",
      "/V2/apps",
      "/v2/Apps",
      "/v2/apps;x",
      "/v2/apps%2f",
      "/v2/apps.",
      "/v2/apps%00",
      "/v2/apps/%00/x",
      "/v2/%c0%af/apps",
      "/v2\\apps",
      "/invoke/",
      "/t/",
    ]) {
      const answer = await ask("GET", target);
      expect({ target, status: answer?.status }).toEqual({ target, status: 404 });
    }
  });

  it("is the trigger door for every path below an application, its bare name included", async () => {
    for (const target of ["/t/app", "/t/app/", "/t/app//x", "/t/app/a/b%2Fc/", "/t/app/../x?a=b"]) {
      const answer = await ask("PUT", target);
      expect(answer?.headers.owner).toBe("callTrigger");
    }
  });
});

describe("paths without an owner", () => {
  it("are refused as Fn's server does, byte for byte", async () => {
    expect(await ask("GET", "/v2/nope")).toMatchObject({
      status: 404,
      headers: { "content-type": "application/json; charset=utf-8", "content-length": "43" },
      body: '{"message":"Path not found: GET /v2/nope"}\n',
    });
    expect((await ask("POST", "/nope"))?.body).toBe('{"message":"Path not found: POST /nope"}\n');
    expect((await ask("GET", "//v2/apps"))?.body).toBe('{"message":"Path not found: GET //v2/apps"}\n');
    expect((await ask("GET", "/a<b>"))?.body).toBe('{"message":"Path not found: GET /a\\u003cb\\u003e"}\n');
  });

  it("below our own prefix are refused with RFC 9457", async () => {
    const answer = await ask("GET", "/chaya/v1/nope?x=1");
    expect(answer?.headers["content-type"]).toBe("application/problem+json");
    expect(JSON.parse(answer?.body ?? "")).toMatchObject({
      type: "urn:chaya:problem:path-not-found",
      title: "Not Found",
      status: 404,
      code: "path-not-found",
      method: "GET",
      path: "/chaya/v1/nope",
    });
  });
});

describe("methods a path does not take", () => {
  it("are refused as Fn's server does, HEAD and OPTIONS too", async () => {
    expect(await ask("PATCH", "/v2/apps")).toMatchObject({
      status: 405,
      headers: { allow: "GET, POST" },
      body: '{"message":"Method not allowed: PATCH /v2/apps"}\n',
    });
    expect((await ask("OPTIONS", "/v2/apps"))?.body).toBe('{"message":"Method not allowed: OPTIONS /v2/apps"}\n');
    expect(await ask("HEAD", "/v2/apps")).toMatchObject({ status: 405, headers: { "content-length": "48" }, body: "" });
    expect((await ask("GET", "/invoke/F"))?.status).toBe(405);
    expect((await ask("PROPFIND", "/t/app/x"))?.status).toBe(405);
    expect((await ask("TRACE", "/v2/apps"))?.status).toBe(405);
  });

  it("do not include HEAD on public routes", async () => {
    expect(await ask("HEAD", "/healthz")).toMatchObject({ status: 200, headers: { owner: "health" }, body: "" });
    expect((await ask("POST", "/healthz"))?.status).toBe(405);
  });
});

describe("a trailing slash", () => {
  it("is redirected as Fn's server does: 301 for GET, 307 for others", async () => {
    expect(await ask("GET", "/v2/apps/?per_page=3&x=%22")).toMatchObject({
      status: 301,
      headers: { location: "/v2/apps?per_page=3&x=%22", "content-type": "text/html; charset=utf-8" },
      body: '<a href="/v2/apps?per_page=3&amp;x=%22">Moved Permanently</a>.\n\n',
    });
    expect((await ask("GET", "/v2/apps/"))?.body).toBe('<a href="/v2/apps">Moved Permanently</a>.\n\n');
    expect(await ask("POST", "/v2/apps/")).toMatchObject({ status: 307, headers: { location: "/v2/apps" }, body: "" });
    expect((await ask("PATCH", "/v2/apps/"))?.status).toBe(404);
    expect((await ask("GET", "//evil.example/v2/apps/"))?.status).toBe(404);
  });
});

describe("Host", () => {
  const withHost = (host: string, target = "/v2/apps") =>
    exchangeRaw(front.port, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);

  it("must be a loopback name or literal, the public URL's host or an allowed one on the control API", async () => {
    for (const host of ["localhost", "LocalHost:1234", "127.0.0.1", "127.8.8.8:80", "[::1]:8080", "chaya.example"]) {
      expect({ host, status: (await withHost(host))?.status }).toEqual({ host, status: 200 });
    }
    for (const host of [
      "evil.example",
      "localhost.",
      "localhost.evil.example",
      "app.localhost",
      "notlocalhost",
      "127.1",
      "0x7f.0.0.1",
      "2130706433",
      "user@localhost",
      "localhost:80:80",
      "localhost/",
      "[::1",
      "192.168.1.5",
      "0.0.0.0",
      "",
    ]) {
      expect({ host, status: (await withHost(host))?.status }).toEqual({ host, status: 421 });
    }
  });

  it("may be any address, and no unknown name, on the other doors", async () => {
    expect((await withHost("192.168.1.5:8080", "/t/app/x"))?.status).toBe(200);
    expect((await withHost("192.168.1.5", "/healthz"))?.status).toBe(200);
    expect((await withHost("evil.example", "/t/app/x"))?.status).toBe(421);
    expect((await withHost("evil.example", "/metrics"))?.status).toBe(421);
  });

  it("is judged anew when it changes within a connection", async () => {
    await using client = await RawClient.connect(front.port);
    client.send("GET /v2/apps HTTP/1.1\r\nHost: localhost\r\n\r\nGET /v2/apps HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    expect((await client.answer())?.status).toBe(200);
    expect((await client.answer())?.status).toBe(421);
  });
});

describe("the control API", () => {
  it("is for pages of the public URL and for tools that send no Origin", async () => {
    const own = `http://localhost:${front.port}`;
    expect((await ask("GET", "/v2/apps", `Origin: ${own}\r\n`))?.status).toBe(200);
    for (const origin of [
      "null",
      "https://evil.example",
      `${own}.evil.example`,
      `https://localhost:${front.port}`,
      "*",
    ])
      expect((await ask("GET", "/v2/apps", `Origin: ${origin}\r\n`))?.status).toBe(403);
    expect((await ask("GET", "/v2/apps", "Sec-Fetch-Site: cross-site\r\n"))?.status).toBe(403);
    expect((await ask("GET", "/v2/apps", "Sec-Fetch-Site: same-origin\r\n"))?.status).toBe(200);
  });

  it("judges credentials that are presented, and knows none", async () => {
    const answer = await ask("GET", "/chaya/v1/calls", "Authorization: Bearer x\r\n");
    expect(answer?.status).toBe(401);
    expect(JSON.parse(answer?.body ?? "")).toMatchObject({ code: "credentials-invalid" });
    const hidden = await ask("GET", "/v2/apps", "Connection: authorization\r\nAuthorization: Bearer x\r\n");
    expect(hidden?.status).toBe(401);
  });

  it("keeps these rules on its routes that stream", async () => {
    expect((await ask("GET", "/chaya/v1/logs", "Origin: null\r\n"))?.status).toBe(403);
    expect((await ask("POST", "/chaya/v1/bundles?app=a&fn=b", "Authorization: x\r\n"))?.status).toBe(401);
  });

  it("is only for the user who started the server, asked once a connection", async () => {
    let askedCount = 0;
    const byUid = (uid: number | "unknown" | "unsupported") =>
      startTestFront(served, {
        peerUid: async () => {
          askedCount++;
          return uid;
        },
      });
    for (const [uid, status] of [
      [process.getuid?.() ?? 0, 200],
      [(process.getuid?.() ?? 0) + 1, 403],
      ["unknown", 403],
      ["unsupported", 200],
    ] as const) {
      await using other = await byUid(uid);
      askedCount = 0;
      const twice = "GET /v2/apps HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2);
      expect((await exchangeRaw(other.port, twice))?.status).toBe(status);
      expect(askedCount).toBe(1);
      const data = await exchangeRaw(other.port, "GET /t/app/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
      expect(data?.status).toBe(200);
      expect(askedCount).toBe(1);
    }
  });

  it("finds the peer's user in the kernel's own tables", async () => {
    expect((await ask("GET", "/v2/apps"))?.status).toBe(200);
  });
});

describe("the data door", () => {
  it("takes any origin", async () => {
    for (const path of ["/invoke/F", "/t/app/source"])
      expect((await ask("POST", path, "Origin: null\r\n"))?.status).toBe(200);
  });

  it("leaves credentials to the function behind a trigger, and nowhere else", async () => {
    const authorization = "Authorization: Bearer x\r\n";
    expect((await ask("POST", "/t/app/source", authorization))?.headers.owner).toBe("callTrigger");
    expect((await ask("POST", "/invoke/F", authorization))?.status).toBe(401);
  });
});

describe("trusted proxies", () => {
  it("say where a request comes from; from others the header says nothing", async () => {
    const peers: string[] = [];
    const observing: ServedRoute[] = [
      {
        route: fnRoutes.callTrigger,
        serve: (exchange) => {
          peers.push(exchange.peer);
          return echo(exchange);
        },
      },
      ...served.filter((one) => one.route === chayaRoutes.getNode),
    ];
    const send = (port: number, target: string, forwarded: string) =>
      exchangeRaw(port, `GET ${target} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${forwarded}\r\n\r\n`);
    await using plain = await startTestFront(observing);
    await using proxied = await startTestFront(observing, { trustedProxies: ["127.0.0.1", "10.0.0.0/8"] });
    await send(plain.port, "/t/a/b", "203.0.113.9");
    await send(proxied.port, "/t/a/b", "127.0.0.1, 203.0.113.9, 10.1.2.3");
    await send(proxied.port, "/t/a/b", "nonsense");
    expect(peers).toEqual(["127.0.0.1", "203.0.113.9", "127.0.0.1"]);
    expect((await send(proxied.port, "/chaya/v1/node", "203.0.113.9"))?.status).toBe(403);
    expect((await send(plain.port, "/chaya/v1/node", "203.0.113.9"))?.status).toBe(200);
  });
});

describe("what a route throws", () => {
  it("becomes a problem in its dialect, and a bug shows its request id only", async () => {
    const lines: unknown[] = [];
    const failing: ServedRoute[] = [fnRoutes.invokeFn, chayaRoutes.readLogs, publicRoutes.metrics].map((declared) => ({
      route: declared,
      serve: async ({ response }) => {
        response.setHeader("Set-Cookie", "half=done");
        throw new Error("secret detail");
      },
    }));
    const logger = {
      ...silentLogger(),
      error: (message: string, fields?: object) => lines.push({ message, ...fields }),
    };
    await using broken = await startTestFront(failing, { logger });
    const request = (line: string) => exchangeRaw(broken.port, `${line} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const call = await request("POST /invoke/F");
    expect(call?.status).toBe(500);
    expect(call?.headers["set-cookie"]).toBeUndefined();
    expect(JSON.parse(call?.body ?? "")).toMatchObject({ message: "internal server error", code: "internal" });
    const ours = await request("GET /chaya/v1/logs?token=abc");
    expect(JSON.parse(ours?.body ?? "")).toMatchObject({ status: 500, requestId: ours?.headers["chaya-request-id"] });
    expect((call?.body ?? "") + (ours?.body ?? "")).not.toContain("secret detail");
    expect(lines).toMatchObject([
      { message: "request failed", route: "/invoke/{fnId}", err: new Error("secret detail") },
      { message: "request failed", route: "/chaya/v1/logs", requestId: ours?.headers["chaya-request-id"] },
    ]);
    expect(JSON.stringify(lines)).not.toContain("abc");
  });
});

function samples(part: string, segment: fc.Arbitrary<string>, rest: fc.Arbitrary<string>): fc.Arbitrary<string> {
  if (part.endsWith("...}")) return rest;
  return part.startsWith("{") ? segment : fc.constant(part);
}
