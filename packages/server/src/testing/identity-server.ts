import { generateKeyPairSync } from "node:crypto";
import { ocidOf } from "@chaya/contract/oci";
import { NoRetryConfigurationDetails, OciError, Region, SimpleAuthenticationDetailsProvider } from "oci-common";
import { IdentityClient } from "oci-identity";
import { createAuthenticate } from "../access/authenticate.ts";
import { createIdentity, type Identity } from "../access/identity.ts";
import { createAuthorize } from "../access/policies/create-authorize.ts";
import { readPublicKey } from "../access/public-key.ts";
import { insertApiKey } from "../access/records/api-keys.ts";
import type { AccessRecordDeps } from "../access/records/commit.ts";
import { noAudit } from "../http/audit.ts";
import { createControlServer } from "../http/control/control-server.ts";
import { Front } from "../http/front/front.ts";
import { createMainRules } from "../http/front/main-rules.ts";
import { systemClock } from "../kernel/clock.ts";
import { createIds } from "../kernel/ids.ts";
import { Lifetime } from "../kernel/lifetime.ts";
import { silentLogger } from "../kernel/logger.ts";
import { systemRandom } from "../kernel/random.ts";
import { createChangesFeed } from "../work/changes-feed.ts";
import type { OpenTestStore } from "./stores.ts";

export const rootId = "01JAAAAAAAAAAAAAAAAAAAAAAA";
export const tenancy = ocidOf("tenancy", rootId, "");

export interface IdentityServer extends AsyncDisposable {
  readonly identity: Identity;
  readonly recordDeps: AccessRecordDeps;
  readonly port: number;
  /** Oracle's client for a user, with a key that is the user's from now on. Closed with the server. */
  clientOf(userId: string, key: TestKey): Promise<IdentityClient>;
  /** The same for the user `admin`. */
  administrator(key: TestKey): Promise<IdentityClient>;
}

/** A pair of keys as a person has it. */
export interface TestKey {
  readonly publicKey: string;
  readonly privateKey: string;
}

export function newTestKey(): TestKey {
  return generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}

/** One node that serves the Identity API: with signatures, and by the policies in force. Closes the store it was given. */
export async function startIdentityServer(opened: OpenTestStore): Promise<IdentityServer> {
  const lifetime = new Lifetime();
  const { store } = lifetime.own(opened);
  const [clock, random, logger, region] = [systemClock(), systemRandom(), silentLogger(), "us-ashburn-1"];
  const newId = createIds(clock, random);
  const changes = lifetime.own(createChangesFeed({ store, clock, logger }));
  await changes.start();
  const recordDeps = { store, changes, clock, newId, rootId };
  const identity = lifetime.own(await createIdentity({ ...recordDeps, random, logger, region }));
  const { directory } = identity;
  const authorize = createAuthorize({ directory, region, resourceFacts: () => undefined });
  lifetime.onClose(() => authorize[Symbol.dispose]());
  const authenticate = createAuthenticate({
    ...{ clock, random, logger, directory },
    verifyResourceToken: () => undefined,
  });
  const reached = (seq: number, signal: AbortSignal) => changes.reached(seq, signal);
  const control = lifetime.own(
    await createControlServer({ clock, logger, reached, authorize, audit: noAudit }, identity.routes),
  );
  const hosts = { publicUrl: () => "http://localhost:8080", allowedHosts: [] };
  const rules = createMainRules({ hosts, authentication: { authenticate, isRequired: true } });
  const front = lifetime.own(new Front({ clock, logger, newId, trustedProxies: [], rules, served: control.served }));
  const { port } = await front.listen("127.0.0.1", 0);
  const clientOf = async (userId: string, key: TestKey) => {
    const { fingerprint, pem } = readPublicKey(key.publicKey);
    const known = directory.apiKey(userId, fingerprint) !== undefined;
    const creation = { createdBy: userId, operation: "UploadApiKey", retryToken: undefined };
    if (!known) await insertApiKey(recordDeps, creation, { userId, key: { fingerprint, pem } });
    const client = clientWith(port, { userId, fingerprint, privateKey: key.privateKey });
    lifetime.onClose(() => client.close());
    return client;
  };
  return {
    ...{ identity, recordDeps, port, clientOf },
    administrator: async (key) => clientOf(await identity.ensureAdministrator(), key),
    [Symbol.asyncDispose]: () => lifetime[Symbol.asyncDispose](),
  };
}

function clientWith(
  port: number,
  signer: { readonly userId: string; readonly fingerprint: string; readonly privateKey: string },
): IdentityClient {
  const authenticationDetailsProvider = new SimpleAuthenticationDetailsProvider(
    tenancy,
    ocidOf("user", signer.userId, ""),
    signer.fingerprint,
    signer.privateKey,
    null,
    Region.US_ASHBURN_1,
  );
  const options = { retryConfiguration: NoRetryConfigurationDetails };
  const client = new IdentityClient({ authenticationDetailsProvider }, options);
  client.endpoint = `http://127.0.0.1:${port}`;
  return client;
}

/** Status and code that a request is refused with. */
export async function refusal(request: Promise<unknown>): Promise<string> {
  try {
    await request;
  } catch (error) {
    if (error instanceof OciError) return `${error.statusCode} ${error.serviceCode}`;
    throw error;
  }
  throw new Error("it was not refused");
}
