import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ManualClock } from "./manual-clock.ts";
import type { MemoryAccessDirectory } from "./memory-access-directory.ts";
import { exchangeRaw, type RawAnswer } from "./raw-http.ts";
import {
  addSigner,
  headerOf,
  keyIdOf,
  type SignableRequest,
  type SigningKey,
  type SigningOptions,
  sha256Base64,
  signedRequest,
  type UnsignedRequest,
  wireText,
  withHeader,
} from "./signing-client.ts";

/** A server with something that only a signed request may bring about. */
export interface SignatureTarget extends AsyncDisposable {
  readonly port: number;
  readonly directory: MemoryAccessDirectory;
  /** By which the dates of requests are judged. */
  readonly clock: ManualClock;
  /** A request with a body that is accepted when a user signs it, and that can be repeated. */
  readonly request: Pick<UnsignedRequest, "method" | "target" | "headers"> & { readonly body: string | Uint8Array };
  /** How many of such requests have had an effect. */
  effects(): number | Promise<number>;
}

/** Every way to change, shorten or make up a signature is refused with 401 and has no effect on what `open` opens. */
export function signatureAttacks(name: string, open: () => Promise<SignatureTarget>): void {
  describe(name, () => {
    let attacked: Attacked;
    beforeAll(async () => {
      attacked = new Attacked(await open());
    });
    afterAll(() => attacked.target[Symbol.asyncDispose]());

    it("accepts what is signed as it must be", async () => {
      const before = await attacked.target.effects();
      expect((await attacked.send(attacked.sign()))?.status).toBeLessThan(300);
      expect(await attacked.target.effects()).toBe(before + 1);
    });

    for (const [what, forge] of [...alterations, ...omissions, ...repetitions, ...forgeries])
      it(`refuses ${what}`, async () => {
        const before = await attacked.target.effects();
        const answer = await attacked.send(forge(attacked));
        expect(answer?.status, answer?.body).toBe(401);
        expect(answer?.headers["www-authenticate"]).toMatch(/^Bearer .*Signature /);
        expect(await attacked.target.effects()).toBe(before);
      });

    it("tells nobody which part of the credentials is wrong", async () => {
      const answers = [];
      for (const [, forge] of unknownSigners) answers.push(await attacked.send(forge(attacked)));
      const [first] = answers;
      for (const answer of answers) expect(withoutIds(answer)).toEqual(withoutIds(first));
    });

    it("accepts dates of up to five minutes ago or ahead", async () => {
      for (const skewMs of [-300_000, 300_000])
        expect((await attacked.send(attacked.sign({ skewMs })))?.status).toBeLessThan(300);
    });
  });
}

type Forge = (attacked: Attacked) => SignableRequest;
type Attack = readonly [what: string, forge: Forge];

const allNames = ["date", "(request-target)", "host", "content-length", "content-type", "x-content-sha256"];

const alterations: readonly Attack[] = [
  ["another host", (a) => withHeader(a.sign(), "Host", `localhost:${a.target.port}`)],
  ["another query", (a) => ({ ...a.sign(), target: withQuery(a.target.request.target) })],
  ["another method", (a) => a.sign({}, { signedMethod: a.target.request.method === "PUT" ? "POST" : "PUT" })],
  ["a date that was changed", (a) => withHeader(a.sign({ skewMs: -1000 }), "Date", a.date(0))],
  ["another content type", (a) => withHeader(a.sign(), "Content-Type", "text/plain")],
  ["a body that was changed", (a) => ({ ...a.sign(), body: changed(a.sign().body) })],
  [
    "a body that was changed together with its digest",
    (a) => withOwnDigest({ ...a.sign(), body: changed(a.sign().body) }),
  ],
  ["a body that was cut off, with its new length", (a) => withLength({ ...a.sign(), body: a.sign().body.subarray(1) })],
  ["no body where one was signed", (a) => withLength({ ...a.sign(), body: Buffer.alloc(0) })],
  ["a date of more than five minutes ago", (a) => a.sign({ skewMs: -301_000 })],
  ["a date of more than five minutes ahead", (a) => a.sign({ skewMs: 301_000 })],
  ["an x-date of more than five minutes ago beside a fresh date", (a) => a.signWithXDate(-301_000)],
  ["a date that is none", (a) => a.sign({ date: "yesterday" })],
];

const omissions: readonly Attack[] = [
  ...allNames.map((name): Attack => [`a list without ${name}`, (a) => a.sign({}, { names: without(name) })]),
  ...allNames
    .filter((name) => !["(request-target)", "host", "content-length"].includes(name))
    .map((name): Attack => [`a signed ${name} that is not sent`, (a) => withHeader(a.sign(), name, undefined)]),
  ["a body in chunks, whose length cannot be signed", (a) => inChunks(a.sign())],
  ["a digest that is not one", (a) => a.sign({ digest: "AAAA" })],
];

const repetitions: readonly Attack[] = [
  ...["Date", "Content-Type", "X-Content-Sha256"].map(
    (name): Attack => [`a second ${name}`, (a) => repeated(a.sign(), name)],
  ),
  ["a name twice in the list", (a) => a.sign({}, { names: [...allNames, "date"] })],
  ["two Authorizations", (a) => repeated(a.sign(), "Authorization")],
];

const unknownSigners: readonly Attack[] = [
  ["the key of another user", (a) => a.sign({}, {}, { ...a.key, privateKey: a.stranger.privateKey })],
  ["a key that was never added", (a) => a.sign({}, {}, { ...a.key, keyId: a.keyId({ fingerprint: noFingerprint }) })],
  ["a user who does not exist", (a) => a.sign({}, {}, { ...a.key, keyId: a.keyId({ userId: noUser }) })],
  ["a user of another tenancy", (a) => a.sign({}, {}, { ...a.key, keyId: a.keyId({ rootId: noUser }) })],
  ["a user who is blocked", (a) => a.sign({}, {}, a.blocked)],
  ["a key that was deleted", (a) => a.sign({}, {}, a.deleted)],
  ["a key id of other parts", (a) => a.sign({}, {}, { ...a.key, keyId: "me" })],
  ["the token of a resource principal that nobody issued", (a) => a.sign({}, {}, { ...a.key, keyId: "ST$a.b.c" })],
];

const forgeries: readonly Attack[] = [
  ...unknownSigners,
  [
    "a signature with one bit changed",
    (a) => withParameter(a.sign(), /(?<=signature=")./, (first) => (first === "A" ? "B" : "A")),
  ],
  ["a signature of another text", (a) => a.sign({}, { signedTarget: "/elsewhere" })],
  ["an empty signature", (a) => withParameter(a.sign(), /signature="[^"]*"/, 'signature=""')],
  ["a list that is empty", (a) => withParameter(a.sign(), /headers="[^"]*"/, 'headers=""')],
  ["another algorithm", (a) => a.sign({}, { algorithm: "hmac-sha256" })],
  ["an algorithm that leaves the choice open", (a) => a.sign({}, { algorithm: "hs2019" })],
  ["another version", (a) => a.sign({}, { version: "2" })],
  ["a parameter that is not known", (a) => withParameter(a.sign(), /version="1"/, 'version="1",expires="9"')],
  ["a parameter that is there twice", (a) => withParameter(a.sign(), /version="1"/, 'version="1",version="1"')],
  ["parameters without quotes", (a) => withParameter(a.sign(), /version="1"/, "version=1")],
  ["something behind the parameters", (a) => withParameter(a.sign(), /$/, " and more")],
  ["no parameters", (a) => withHeader(a.sign(), "Authorization", "Signature")],
  ["a scheme that is not known", (a) => withHeader(a.sign(), "Authorization", "Basic YTpi")],
  ["an empty Authorization", (a) => withHeader(a.sign(), "Authorization", "")],
  ["a bearer token that was never given out", (a) => withHeader(a.sign(), "Authorization", `Bearer ${noToken}`)],
  ["a bearer token that is none", (a) => withHeader(a.sign(), "Authorization", "Bearer ocid1.user")],
];

const noFingerprint = "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff";
const noUser = "01NAAAAAAAAAAAAAAAAAAAAAAA";
const noToken = `chaya_${"A".repeat(43)}`;

interface Signing {
  readonly skewMs?: number;
  /** Signed and sent in place of what is right. */
  readonly date?: string;
  readonly digest?: string;
}

class Attacked {
  readonly target: SignatureTarget;
  readonly key: ReturnType<typeof addSigner>;
  readonly stranger: SigningKey;
  readonly blocked: SigningKey;
  readonly deleted: SigningKey;

  constructor(target: SignatureTarget) {
    const { directory } = target;
    this.target = target;
    this.key = addSigner(directory, "ada");
    this.stranger = { keyId: "", privateKey: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey };
    const blocked = addSigner(directory, "bob");
    directory.changeUser(blocked.user.id, { isBlocked: true });
    this.blocked = blocked;
    const deleted = addSigner(directory, "cid");
    const fingerprint = deleted.keyId.split("/")[2] ?? "";
    const apiKey = directory.apiKey(deleted.user.id, fingerprint);
    if (apiKey !== undefined) directory.removeApiKey(apiKey);
    this.deleted = deleted;
  }

  sign(signing: Signing = {}, options: SigningOptions = {}, key: SigningKey = this.key): SignableRequest {
    const { skewMs = 0, date, digest } = signing;
    const replaced = new Map([
      ["date", date],
      ["x-content-sha256", digest],
    ]);
    return signedRequest(key, this.#plain(skewMs), { ...options, replaced });
  }

  signWithXDate(skewMs: number): SignableRequest {
    const plain = this.#plain(0);
    const headers = [...(plain.headers ?? []), ["X-Date", this.date(skewMs)] as const];
    return signedRequest(this.key, { ...plain, headers }, { names: [...allNames, "x-date"] });
  }

  date(skewMs: number): string {
    return new Date(this.target.clock.nowMs() + skewMs).toUTCString();
  }

  keyId(parts: { readonly rootId?: string; readonly userId?: string; readonly fingerprint?: string }): string {
    const { rootId = this.target.directory.rootId, userId = this.key.user.id } = parts;
    return keyIdOf(rootId, userId, parts.fingerprint ?? this.key.keyId.split("/")[2] ?? "");
  }

  send(request: SignableRequest): Promise<RawAnswer | undefined> {
    return exchangeRaw(this.target.port, wireText(request));
  }

  #plain(skewMs: number): UnsignedRequest {
    const { port, clock, request } = this.target;
    return { ...request, host: `127.0.0.1:${port}`, atMs: clock.nowMs() + skewMs };
  }
}

function without(name: string): readonly string[] {
  return allNames.filter((known) => known !== name);
}

function withQuery(target: string): string {
  return target.includes("?") ? target.replace("?", "?added=1&") : `${target}?added=1`;
}

function changed(body: Buffer): Buffer {
  const other = Buffer.from(body);
  const last = other.length - 1;
  other[last] = (other[last] ?? 0) ^ 1;
  return other;
}

function withLength(request: SignableRequest): SignableRequest {
  return withHeader(request, "Content-Length", String(request.body.length));
}

function withOwnDigest(request: SignableRequest): SignableRequest {
  return withHeader(request, "X-Content-Sha256", sha256Base64(request.body));
}

function inChunks(request: SignableRequest): SignableRequest {
  const chunked = withHeader(withHeader(request, "Content-Length", undefined), "Transfer-Encoding", "chunked");
  const size = Buffer.from(`${request.body.length.toString(16)}\r\n`);
  return { ...chunked, body: Buffer.concat([size, request.body, Buffer.from("\r\n0\r\nContent-Length: 1\r\n\r\n")]) };
}

function repeated(request: SignableRequest, name: string): SignableRequest {
  return { ...request, headers: [...request.headers, [name, headerOf(request, name)]] };
}

function withParameter(
  request: SignableRequest,
  pattern: RegExp,
  value: string | ((was: string) => string),
): SignableRequest {
  const replacement = typeof value === "string" ? () => value : value;
  return withHeader(request, "Authorization", headerOf(request, "Authorization").replace(pattern, replacement));
}

/** What of an answer could tell attackers apart from each other. */
function withoutIds(answer: RawAnswer | undefined) {
  const { date, "content-length": _length, "opc-request-id": _id, ...headers } = answer?.headers ?? {};
  const body: unknown = JSON.parse(answer?.body ?? "null");
  return { status: answer?.status, headers, body: { ...Object(body), requestId: undefined } };
}
