import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LogFields, Logger } from "../kernel/logger.ts";
import { silentLogger } from "../kernel/logger.ts";
import { seededRandom, systemRandom } from "../kernel/random.ts";
import { type CredentialJudge, startCredentialJudge } from "../testing/credential-judge.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { MemoryAccessDirectory } from "../testing/memory-access-directory.ts";
import { exchangeRaw } from "../testing/raw-http.ts";
import {
  addSigner,
  type SignableRequest,
  type SigningOptions,
  sha256Base64,
  signedRequest,
  wireText,
  withHeader,
} from "../testing/signing-client.ts";
import { createAuthenticate } from "./authenticate.ts";
import type { TokenKind } from "./model.ts";
import { mintToken } from "./tokens/token-text.ts";

const logged: (readonly [message: string, fields: LogFields | undefined])[] = [];
const logger: Logger = { ...silentLogger(), info: (message, fields) => void logged.push([message, fields]) };
const clock = new ManualClock();
const directory = new MemoryAccessDirectory();
const key = addSigner(directory, "ada");
const resource = generateKeyPairSync("rsa", { modulusLength: 2048 });
const verifyResourceToken = (jwt: string) =>
  jwt === "a.b.c" ? { functionId: "F1", publicKey: resource.publicKey } : undefined;
const authenticate = createAuthenticate({ clock, logger, random: seededRandom(1), directory, verifyResourceToken });

let judge: CredentialJudge;
let uploads: CredentialJudge;
beforeAll(async () => {
  judge = await startCredentialJudge(authenticate);
  uploads = await startCredentialJudge(authenticate, { signedBody: "optional" });
});
afterAll(async () => {
  await judge[Symbol.asyncDispose]();
  await uploads[Symbol.asyncDispose]();
});

async function judged(request: SignableRequest, by = judge): Promise<string | undefined> {
  return (await exchangeRaw(by.port, wireText(request)))?.body;
}

function signed(method: string, options: SigningOptions = {}, given: { body?: string; signer?: typeof key } = {}) {
  const plain = { method, target: "/x?a=1", host: "h.example:8080", atMs: clock.nowMs(), body: given.body };
  return signedRequest(given.signer ?? key, plain, options);
}

const inNodesOrder = ["(request-target)", "host", "Content-Type", "Content-Length", "x-content-sha256"];

describe("a signature", () => {
  it("of a request without a body needs none of its headers", async () => {
    for (const method of ["GET", "HEAD", "DELETE"]) {
      const request = signed(method);
      const answer = await exchangeRaw(judge.port, wireText(request));
      expect(method === "HEAD" ? answer?.status : answer?.body).toBe(method === "HEAD" ? 200 : "user ada unsigned");
    }
  });

  it("of a body says its digest, also of an empty one", async () => {
    for (const body of ["", "{}", "é"])
      expect(await judged(signed("POST", {}, { body }))).toBe(`user ada ${sha256Base64(Buffer.from(body))}`);
  });

  it("may leave out the body where a route says so, and covers it where the client wants that", async () => {
    const names = ["date", "(request-target)", "host"];
    for (const method of ["PUT", "POST"]) {
      expect(await judged(signed(method, { names }, { body: "b" }), uploads)).toBe("user ada unsigned");
      expect(await judged(signed(method, {}, { body: "b" }), uploads)).toBe(
        `user ada ${sha256Base64(Buffer.from("b"))}`,
      );
      expect(await judged(signed(method, { names }, { body: "b" }))).toBe("signature-incomplete");
    }
  });

  it("covers the names in any order and any case", async () => {
    for (const names of [
      ["date", ...inNodesOrder],
      [...inNodesOrder, "Date"],
      ["HOST", ...inNodesOrder.slice(2), "date", "(Request-Target)"],
    ])
      expect(await judged(signed("PATCH", { names }, { body: "b" }))).toMatch(/^user ada /);
  });

  it("covers further headers, and every header it names", async () => {
    const plain = {
      method: "GET",
      target: "/",
      host: "h",
      atMs: clock.nowMs(),
      headers: [["opc-obo-token", "t"]] as const,
    };
    const request = signedRequest(key, plain, { names: ["date", "(request-target)", "host", "opc-obo-token"] });
    expect(await judged(request)).toBe("user ada unsigned");
    expect(await judged(withHeader(request, "opc-obo-token", "u"))).toBe("credentials-invalid");
    expect(await judged(withHeader(request, "opc-obo-token", undefined))).toBe("signature-incomplete");
  });

  it("is dated by x-date where both are signed, and by what is signed where one is", async () => {
    const dated = (xDateMs: number, names: readonly string[]) =>
      signedRequest(
        key,
        {
          ...{ method: "GET", target: "/", host: "h", atMs: clock.nowMs() - 3_600_000 },
          headers: [["X-Date", new Date(clock.nowMs() + xDateMs).toUTCString()]],
        },
        { names: ["(request-target)", "host", ...names] },
      );
    expect(await judged(dated(0, ["date", "x-date"]))).toBe("user ada unsigned");
    expect(await judged(dated(0, ["x-date"]))).toBe("user ada unsigned");
    expect(await judged(dated(0, ["date"]))).toBe("signature-date-off");
  });

  it("takes its parameters in any order, and does without a version", async () => {
    const request = signed("GET");
    const [, list = ""] = /^Signature (.*)$/.exec(request.headers.at(-1)?.[1] ?? "") ?? [];
    const parameters = list.split(/,(?=[a-z])/i);
    const orders = [parameters.toReversed(), parameters.filter((one) => !one.startsWith("version"))];
    for (const order of orders)
      for (const comma of [",", ", ", " ,\t"])
        expect(await judged(withHeader(request, "authorization", `signature  ${order.join(comma)}`))).toBe(
          "user ada unsigned",
        );
  });

  it("by a resource principal is the function's", async () => {
    const signer = { ...key, keyId: "ST$a.b.c", privateKey: resource.privateKey };
    expect(await judged(signed("GET", {}, { signer }))).toBe("resource F1 unsigned");
    expect(await judged(signed("GET", {}, { signer: { ...key, keyId: "ST$a.b.c" } }))).toBe("credentials-invalid");
    expect(await judged(signed("GET", {}, { signer: { ...signer, keyId: "ST$a.b.d" } }))).toBe("credentials-invalid");
  });

  it("is judged by what the directory shows now", async () => {
    const bob = addSigner(directory, "bob");
    expect(await judged(signed("GET", {}, { signer: bob }))).toBe("user bob unsigned");
    directory.changeUser(bob.user.id, { isBlocked: true });
    expect(await judged(signed("GET", {}, { signer: bob }))).toBe("credentials-invalid");
    directory.changeUser(bob.user.id, { isBlocked: false });
    directory.removeUser(bob.user.id);
    expect(await judged(signed("GET", {}, { signer: bob }))).toBe("credentials-invalid");
  });

  it("in the query is none", async () => {
    const request = signed("GET");
    const [, authorization = ""] = request.headers.at(-1) ?? [];
    const target = `/x?a=1&Authorization=${encodeURIComponent(authorization)}`;
    expect(await judged({ ...withHeader(request, "authorization", undefined), target })).toBe("none");
  });
});

describe("a bearer token", () => {
  const add = (kind: TokenKind, expiresAtMs?: number, user = key.user) => {
    const { text, hash } = mintToken(systemRandom());
    return { text, hash, token: directory.addToken({ hash, kind, userId: user.id, expiresAtMs }) };
  };
  const bearer = (text: string, scheme = "Bearer") =>
    judged({
      ...{ method: "GET", target: "/", body: Buffer.alloc(0) },
      headers: [
        ["Host", "h"],
        ["Authorization", `${scheme} ${text}`],
      ],
    });

  it("is its user's, in every kind that is a credential", async () => {
    for (const kind of ["auth", "session", "admin"] as const)
      for (const scheme of ["Bearer", "bearer", "BEARER "])
        expect(await bearer(add(kind).text, scheme)).toBe("user ada unsigned");
    expect(await bearer(add("login").text)).toBe("credentials-invalid");
  });

  it("is good until it expires, is deleted, or its user is blocked or deleted", async () => {
    const limited = add("session", clock.nowMs() + 1);
    expect(await bearer(limited.text)).toBe("user ada unsigned");
    clock.jump(1);
    expect(await bearer(limited.text)).toBe("credentials-invalid");
    const deleted = add("auth");
    directory.removeToken(deleted.token);
    expect(await bearer(deleted.text)).toBe("credentials-invalid");
    const eve = directory.addUser("eve");
    const hers = add("auth", undefined, eve);
    directory.changeUser(eve.id, { isBlocked: true });
    expect(await bearer(hers.text)).toBe("credentials-invalid");
    directory.removeUser(eve.id);
    expect(await bearer(hers.text)).toBe("credentials-invalid");
  });

  it("has 256 bits and is known by its hash alone: what is stored is no credential, nor is a part or a variant", async () => {
    const { text, hash } = add("auth");
    expect(text).toMatch(/^chaya_[\w-]{43}$/);
    const nearly = [
      hash,
      text.slice(6),
      text.slice(0, -1),
      `${text}A`,
      text.toUpperCase(),
      `${text},${text}`,
      `${text} `,
    ];
    for (const wrong of nearly.filter((other) => other.trim() !== text))
      expect(await bearer(wrong), wrong).toBe("credentials-invalid");
  });
});

describe("credentials that were refused", () => {
  it("are logged with peer and kind, never with what they were, and not without end", async () => {
    await clock.advance(60_000);
    logged.length = 0;
    const { text } = mintToken(systemRandom());
    const request = { method: "GET", target: "/", body: Buffer.alloc(0) };
    const ask = () =>
      judged({
        ...request,
        headers: [
          ["Host", "h"],
          ["Authorization", `Bearer ${text}`],
        ],
      });
    for (let count = 0; count < 50; count++) await ask();
    expect(logged).toHaveLength(20);
    expect(logged[0]).toEqual([
      "authentication failed",
      { peer: "192.0.2.7", kind: "bearer", problem: "credentials-invalid" },
    ]);
    await clock.advance(60_000);
    await ask();
    expect(logged[20]).toEqual(["further authentications failed", { count: 30 }]);
    expect(JSON.stringify(logged)).not.toContain(text);
  });

  it("are not logged when there were none", async () => {
    logged.length = 0;
    expect(await judged({ method: "GET", target: "/", body: Buffer.alloc(0), headers: [["Host", "h"]] })).toBe("none");
    expect(logged).toEqual([]);
  });
});
