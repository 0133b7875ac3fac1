import { DefaultRequestSigner, SimpleAuthenticationDetailsProvider } from "oci-common";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../kernel/logger.ts";
import { seededRandom } from "../../kernel/random.ts";
import { type CredentialJudge, startCredentialJudge } from "../../testing/credential-judge.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { MemoryAccessDirectory } from "../../testing/memory-access-directory.ts";
import { exchangeRaw } from "../../testing/raw-http.ts";
import { addSigner, signedRequest, wireText } from "../../testing/signing-client.ts";
import { createAuthenticate } from "../authenticate.ts";
import { otherTargets } from "./request-targets.ts";

const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index));
const characters = [...printable, "\u00a0", "é", "日", "😀"];
/** They end a path. */
const inPath = characters.filter((character) => character !== "?" && character !== "#");

const directory = new MemoryAccessDirectory();
const key = addSigner(directory, "ada");
// The SDK signs with the time of the machine.
const clock = new ManualClock(Date.now());
const random = seededRandom(1);
const verifyResourceToken = () => undefined;
const authenticate = createAuthenticate({ clock, logger: silentLogger(), random, directory, verifyResourceToken });

let judge: CredentialJudge;
beforeAll(async () => {
  judge = await startCredentialJudge(authenticate);
});
afterAll(() => judge[Symbol.asyncDispose]());

describe("the target of a request signed by OCI's SDK for Node", () => {
  const [tenancy = "", user = "", fingerprint = ""] = key.keyId.split("/");
  const pem = key.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const signer = new DefaultRequestSigner(
    new SimpleAuthenticationDetailsProvider(tenancy, user, fingerprint, pem, null),
  );
  const ask = async (target: string) => {
    const uri = `http://127.0.0.1:${judge.port}${target}`;
    const request = { uri, method: "GET", headers: new Headers() } as const;
    await signer.signHttpRequest(request);
    const answer = await fetch(uri, { headers: request.headers });
    return answer.text();
  };

  it.each(inPath)("is accepted with %j in its path", async (character) => {
    expect(await ask(`/n/a${character}b/o`)).toBe("user ada unsigned");
    expect(await ask(`/n/a${encodeURIComponent(character)}`)).toBe("user ada unsigned");
  });

  it.each(characters)("is accepted with %j in its query", async (character) => {
    expect(await ask(`/n/ns?prefix=a${character}b&x=1`)).toBe("user ada unsigned");
    expect(await ask(`/n/ns?prefix=${encodeURIComponent(character)}`)).toBe("user ada unsigned");
  });

  it("is accepted with all of them in the query and, as the SDK writes them, in the path", async () => {
    const all = characters.join("");
    expect(await ask(`/n/${encodeURIComponent(all)}?prefix=${all.replace("#", "")}`)).toBe("user ada unsigned");
    expect(await ask(`/n/${inPath.join("")}?prefix=${all.replace("#", "")}`)).toBe("user ada unsigned");
  });
});

describe("the target of a request that is signed as it is sent", () => {
  it.each(printable.filter((character) => character !== " " && character !== "#"))(
    "is accepted with %j in path and query",
    async (character) => {
      const target = `/n/a${character}b?p=${character}`;
      const plain = { method: "GET", target, host: `127.0.0.1:${judge.port}`, atMs: clock.nowMs() };
      expect(await exchangeRaw(judge.port, wireText(signedRequest(key, plain)))).toMatchObject({
        body: "user ada unsigned",
      });
    },
  );

  it.each(["/n/b%27", "/n/%62", "/n/b?x=1#", "/n/b/", "//n/b", "/n/./b", "/N/b", "/n/b?"])(
    "is another than %s, which somebody else may read the same",
    async (signedTarget) => {
      const plain = { method: "GET", target: "/n/b", host: `127.0.0.1:${judge.port}`, atMs: clock.nowMs() };
      const request = signedRequest(key, plain, { signedTarget });
      expect(await exchangeRaw(judge.port, wireText(request))).toMatchObject({ body: "credentials-invalid" });
    },
  );
});

describe("what may have been signed in place of a target", () => {
  it("is nothing else for the targets that almost all requests have", () => {
    expect(otherTargets("/20181201/functions?compartmentId=ocid1.tenancy.oc1..a&limit=10")).toEqual(new Set());
  });

  it("is never more than three", () => {
    for (const target of ["/%C3%A9'?p=%E6%97%A5|", "/%ff%FE?%80", `/${"%c3%a9".repeat(2000)}?${"'".repeat(2000)}`])
      expect(otherTargets(target).size).toBeLessThanOrEqual(3);
  });
});
