import { limits, route } from "@chaya/contract";
import { chayaRoutes } from "@chaya/contract/chaya";
import { fnRoutes } from "@chaya/contract/fn";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuthenticate } from "../../access/authenticate.ts";
import { mintToken } from "../../access/tokens/token-text.ts";
import { silentLogger } from "../../kernel/logger.ts";
import { seededRandom } from "../../kernel/random.ts";
import { InvocationRig } from "../../testing/invocation-rig.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { MemoryAccessDirectory } from "../../testing/memory-access-directory.ts";
import { exchangeRaw, type RawAnswer } from "../../testing/raw-http.ts";
import { addSigner, signedRequest, wireText, withHeader } from "../../testing/signing-client.ts";
import { startTestFront, type TestFront } from "../../testing/test-front.ts";
import { sendAnswer } from "../answer.ts";
import type { ServedRoute } from "../exchange.ts";

const clock = new ManualClock();
const directory = new MemoryAccessDirectory();
const ada = addSigner(directory, "ada");
const { text: token, hash } = mintToken(seededRandom(7));
directory.addToken({ hash, kind: "auth", userId: ada.user.id });
const authenticate = createAuthenticate({
  ...{ clock, logger: silentLogger(), random: seededRandom(1), directory },
  verifyResourceToken: () => undefined,
});
const ociRoute = route({
  ...{ method: "GET", path: "/20181201/things", dialect: "oci", door: "data", summary: "For a test.", problems: [] },
  auth: { action: "read", resource: "fn-app", operation: "GetThing" },
});

/** Each answers with who asks. */
const served: readonly ServedRoute[] = [
  chayaRoutes.getNode,
  chayaRoutes.createBundle,
  chayaRoutes.createSession,
  fnRoutes.invokeFn,
  fnRoutes.callTrigger,
  ociRoute,
].map((declared) => ({
  route: declared,
  serve: ({ principal, response }) =>
    sendAnswer(response, { status: 200, headers: [], body: Buffer.from(`${principal.kind} ${principal.name}`) }),
}));

const doors = {
  control: "GET /chaya/v1/node",
  upload: "POST /chaya/v1/bundles?app=a&fn=f",
  login: "POST /chaya/v1/sessions",
  invoke: "POST /invoke/F",
  trigger: "POST /t/app/source",
  oci: "GET /20181201/things",
} as const;

type DoorName = keyof typeof doors;

for (const isRequired of [false, true])
  describe(isRequired ? "with --auth required" : "with --auth none", () => {
    let front: TestFront;
    beforeAll(async () => {
      front = await startTestFront(served, { clock, authentication: { authenticate, isRequired } });
    });
    afterAll(() => front[Symbol.asyncDispose]());

    const ask = (door: DoorName, ...headers: readonly string[]): Promise<RawAnswer | undefined> => {
      const hasHost = headers.some((header) => header.startsWith("Host:"));
      const lines = [...(hasHost ? [] : ["Host: localhost"]), ...headers].map((header) => `${header}\r\n`);
      return exchangeRaw(front.port, `${doors[door]} HTTP/1.1\r\n${lines.join("")}\r\n`);
    };
    const sign = (door: DoorName) => {
      const [method = "", target = ""] = doors[door].split(" ");
      return signedRequest(ada, { method, target, host: `localhost:${front.port}`, atMs: clock.nowMs() });
    };

    it("a token or a signature says who asks, at every door but those open to everyone", async () => {
      for (const door of ["control", "upload", "login", "invoke", "oci"] as const) {
        expect((await ask(door, `Authorization: Bearer ${token}`))?.body, door).toBe("user ada");
        expect((await exchangeRaw(front.port, wireText(sign(door))))?.body, door).toBe("user ada");
      }
      expect((await ask("trigger", `Authorization: Bearer ${token}`))?.body).toBe("anonymous anonymous");
    });

    it("wrong credentials are refused wherever they are looked at", async () => {
      for (const door of ["control", "upload", "login", "invoke", "oci"] as const)
        for (const wrong of ["Bearer x", "Basic YTpi", "Signature x", ""])
          expect((await ask(door, `Authorization: ${wrong}`))?.status, `${door} ${wrong}`).toBe(401);
      for (const any of ["Bearer x", "Basic YTpi", "Signature x", ""])
        expect((await ask("trigger", `Authorization: ${any}`))?.body).toBe("anonymous anonymous");
    });

    it("no credentials are refused in OCI's words, and in ours with what to do", async () => {
      const oci = await ask("oci", "Authorization: Signature x");
      expect(oci?.headers["www-authenticate"]).toMatch(/^Bearer realm="Chaya"/);
      expect(JSON.parse(oci?.body ?? "")).toEqual({
        code: "NotAuthenticated",
        message: "The required information to complete authentication was not provided or was incorrect.",
      });
      const unsigned = withHeader(sign("oci"), "Date", undefined);
      expect(JSON.parse((await exchangeRaw(front.port, wireText(unsigned)))?.body ?? "")).toEqual({
        code: "NotAuthenticated",
        message: "The required information to complete authentication was not provided.",
      });
      const ours = await ask("upload", "Authorization: Bearer x");
      expect(JSON.parse(ours?.body ?? "")).toMatchObject({ code: "credentials-invalid", hint: expect.any(String) });
    });

    it("no page of another origin and no rebound name uses the control API, whatever credentials it has", async () => {
      const bearer = `Authorization: Bearer ${token}`;
      for (const door of ["control", "upload", "login"] as const) {
        expect((await ask(door, bearer, "Origin: https://evil.example"))?.status).toBe(403);
        expect((await ask(door, bearer, "Sec-Fetch-Site: cross-site"))?.status).toBe(403);
        expect((await ask(door, bearer, "Host: evil.example"))?.status).toBe(421);
        expect((await ask(door, bearer, "Host: 203.0.113.9"))?.status).toBe(421);
        expect((await ask(door, bearer, `Origin: http://localhost:${front.port}`))?.status).toBe(200);
      }
      expect((await ask("invoke", bearer, "Origin: https://evil.example"))?.status).toBe(200);
    });

    it("logins and triggers are open to everyone", async () => {
      expect((await ask("login"))?.body).toBe("anonymous anonymous");
      expect((await ask("trigger"))?.body).toBe("anonymous anonymous");
    });

    it(`who says nothing is ${isRequired ? "nobody" : "who started the server, or nobody"}`, async () => {
      const answers = await Promise.all((["control", "upload", "invoke", "oci"] as const).map((door) => ask(door)));
      const told = answers.map((answer) => (answer?.status === 200 ? answer.body : answer?.status));
      const starter = "administrator administrator";
      expect(told).toEqual(isRequired ? [401, 401, 401, 401] : [starter, starter, "anonymous anonymous", starter]);
      if (!isRequired) return;
      const [control, , , oci] = answers;
      expect(JSON.parse(control?.body ?? "")).toMatchObject({ code: "credentials-missing" });
      expect(JSON.parse(oci?.body ?? "")).toEqual({
        code: "NotAuthenticated",
        message: "The required information to complete authentication was not provided.",
      });
    });

    it("who signs need not be a user of this machine", async () => {
      const others = { clock, authentication: { authenticate, isRequired }, peerUid: async () => 4711 };
      await using foreign = await startTestFront(served, others);
      const line = `${doors.control} HTTP/1.1\r\nHost: localhost\r\n`;
      const signed = await exchangeRaw(foreign.port, `${line}Authorization: Bearer ${token}\r\n\r\n`);
      expect(signed?.body).toBe("user ada");
      expect((await exchangeRaw(foreign.port, `${line}\r\n`))?.status).toBe(isRequired ? 401 : 403);
    });
  });

describe("a signed call", () => {
  const start = async (mayInvoke = true) => {
    const seen: (readonly string[])[] = [];
    const rig = await InvocationRig.open({
      clock,
      deps: {
        authorize: (principal, { resource }) => mayInvoke && principal.name === "ada" && resource === "fn-invocation",
      },
      answer: async ({ request, response }) => {
        seen.push(request.rawHeaders.map((part) => part.toLowerCase()));
        response.end("called");
      },
    });
    const invoke = { route: fnRoutes.invokeFn, serve: rig.invocation.invoke };
    const front = await startTestFront([invoke], { clock, authentication: { authenticate, isRequired: false } });
    rig.owns(front);
    const fn = rig.addFunction("hello");
    const sign = (body: string | Buffer, headers: readonly (readonly [string, string])[] = []) => {
      const plain = { method: "POST", target: `/invoke/${fn.id}`, host: "localhost", atMs: clock.nowMs() };
      return signedRequest(ada, { ...plain, body, headers });
    };
    return { rig, fn, port: front.port, seen, sign };
  };

  it("reaches the function without the credentials, and with every other header", async () => {
    const { rig, fn, port, seen, sign } = await start();
    await using _ = rig;
    const kept = [
      ["X-Custom", "1"],
      ["Cookie", "a=b"],
    ] as const;
    expect(await exchangeRaw(port, wireText(sign("hi", kept)))).toMatchObject({ status: 200, body: "called" });
    const bearer = `POST /invoke/${fn.id} HTTP/1.1\r\nHost: localhost\r\nX-Custom: 1\r\nCookie: a=b\r\nauthorization: Bearer ${token}\r\nContent-Length: 0\r\n\r\n`;
    expect(await exchangeRaw(port, bearer)).toMatchObject({ status: 200 });
    expect(seen).toHaveLength(2);
    for (const headers of seen) {
      expect(headers).toEqual(expect.arrayContaining(["x-custom", "cookie"]));
      expect(headers).not.toContain("authorization");
    }
    expect(seen[0]).toEqual(expect.arrayContaining(["date", "x-content-sha256"]));
    expect(JSON.stringify(seen)).not.toContain(token.toLowerCase());
  });

  it("needs a right, and what may not be called looks like what is not there", async () => {
    const { rig, port, seen, sign } = await start(false);
    await using _ = rig;
    const denied = await exchangeRaw(port, wireText(sign("hi")));
    const missing = await exchangeRaw(port, wireText({ ...sign("hi"), ...signedFor("/invoke/01NOPE") }));
    expect(denied?.status).toBe(404);
    expect([denied?.body, denied?.status]).toEqual([missing?.body, missing?.status]);
    expect(seen).toEqual([]);
  });

  it("without credentials is open as it always was", async () => {
    const { rig, fn, port } = await start(false);
    await using _ = rig;
    const plain = `POST /invoke/${fn.id} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`;
    expect(await exchangeRaw(port, plain)).toMatchObject({ status: 200, body: "called" });
  });

  it("takes a body of at most six mebibytes, of which no byte goes on before the last has come", async () => {
    const { rig, port, seen, sign } = await start();
    await using _ = rig;
    const largest = Buffer.alloc(limits.signedBodyBytesMax, 65);
    expect(await exchangeRaw(port, wireText(sign(largest)))).toMatchObject({ status: 200 });
    expect(seen).toHaveLength(1);
    const larger = await exchangeRaw(port, wireText(sign(Buffer.concat([largest, Buffer.from("A")]))));
    expect(larger).toMatchObject({ status: 413 });
    expect(JSON.parse(larger?.body ?? "")).toMatchObject({ code: "body-too-large" });
    expect(seen).toHaveLength(1);
  });

  function signedFor(target: string) {
    const plain = { method: "POST", target, host: "localhost", atMs: clock.nowMs(), body: "hi" };
    return signedRequest(ada, plain);
  }
});
