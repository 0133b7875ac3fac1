import { hash } from "node:crypto";
import { limits } from "@chaya/contract";
import type { Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { NewId } from "../../kernel/ids.ts";
import { Lifetime } from "../../kernel/lifetime.ts";
import type { Logger } from "../../kernel/logger.ts";
import { RecentMap } from "../../kernel/recent-map.ts";
import type { IssueCredential, ResolveFunctions, SealedBytes } from "../../seams.ts";
import { type ChangesFeed, resetKind } from "../../work/changes.ts";
import type { VerifyResourceToken } from "../signatures/signers.ts";
import { FirstCredentials } from "./first-credentials.ts";
import { FunctionKeys } from "./function-keys.ts";
import { IssuedTokens } from "./issued-tokens.ts";
import { KeyRemoval } from "./key-removal.ts";
import { type ReadToken, readToken } from "./resource-token.ts";
import { SigningKey } from "./signing-key.ts";
import { SpareKeys } from "./spare-keys.ts";

export interface ResourcePrincipalsDeps {
  readonly store: Store<MainTables>;
  readonly changes: ChangesFeed;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: NewId;
  readonly sealed: SealedBytes;
  readonly resolve: ResolveFunctions;
  /** The name of this region, as in OCIDs. */
  readonly region: string;
  /** Of the root compartment, which is the tenancy's. */
  readonly compartmentId: string;
}

export interface ResourcePrincipals extends AsyncDisposable {
  /** Throws `secrets-key-unfit`, `secrets-key-differs`, `secret-unreadable`. */
  readonly issueCredential: IssueCredential;
  readonly verifyResourceToken: VerifyResourceToken;
}

/** The first seconds of a server are for those who wait for it. */
const makeAfterMs = 2_000;

/**
 * The resource principals of functions. The changes feed must have been started, and `resolve` must follow it before
 * this does. Throws `secrets-key-unfit`, `secrets-key-differs` or `secret-unreadable` when this node could not open the
 * keys that are stored.
 */
export async function createResourcePrincipals(deps: ResourcePrincipalsDeps): Promise<ResourcePrincipals> {
  const { clock, resolve } = deps;
  const lifetime = new Lifetime();
  const exists = (functionId: string) => resolve.function(functionId, undefined) !== undefined;
  const spares = new SpareKeys(clock);
  const signing = await SigningKey.open({ ...deps, spares });
  const keys = new FunctionKeys({ ...deps, spares });
  const tokens = new IssuedTokens({ ...deps, signing, keys, rootId: deps.compartmentId });
  const issueFirst = async (functionId: string) => {
    const application = resolve.application(resolve.function(functionId, undefined)?.applicationId ?? "");
    if (application !== undefined) await tokens.issue({ functionId, compartmentId: application.compartmentId });
  };
  const first = lifetime.own(new FirstCredentials({ ...deps, spares, issue: issueFirst }));
  const removal = lifetime.own(new KeyRemoval(deps));
  lifetime.own(makeAhead(deps, { spares, signing }));
  removal.removeOrphans();
  const following = deps.changes.onChange(async ({ kind, id }) => {
    if (kind === resetKind) removal.removeOrphans();
    if (kind !== "function") return;
    if (exists(id)) return first.expect(id);
    for (const owner of [first, keys, tokens]) owner.forget(id);
    removal.remove(id);
  });
  lifetime.onClose(() => following[Symbol.dispose]());
  return {
    issueCredential: (subject) => tokens.issue(subject),
    verifyResourceToken: createVerify({ signing, clock, exists }),
    [Symbol.asyncDispose]: () => lifetime[Symbol.asyncDispose](),
  };
}

/** Makes the spares and the platform's own pair once those who wait for the server have been served. Closes the spares. */
function makeAhead(
  { clock, logger }: ResourcePrincipalsDeps,
  { spares, signing }: { readonly spares: SpareKeys; readonly signing: SigningKey },
): AsyncDisposable {
  let isClosing = false;
  let making: Promise<unknown> | undefined;
  const timer = clock.schedule(makeAfterMs, () => {
    spares.fill();
    making = signing.signer().catch((error: unknown) => {
      if (!isClosing)
        logger.error("no function starts as long as the key of their principals cannot be used", { error });
    });
  });
  return {
    [Symbol.asyncDispose]: async () => {
      isClosing = true;
      timer.cancel();
      await spares[Symbol.asyncDispose]();
      await making;
    },
  };
}

interface VerifyDeps {
  readonly signing: SigningKey;
  readonly clock: Clock;
  readonly exists: (functionId: string) => boolean;
}

/** Remembers which tokens were right: an instance signs all of its requests with one. */
function createVerify({ signing, clock, exists }: VerifyDeps): VerifyResourceToken {
  const read = new RecentMap<string, ReadToken>(limits.resourceTokensKeptMax);
  return (text) => {
    const nowMs = clock.nowMs();
    const digest = hash("sha256", text, "base64");
    const known = read.get(digest);
    const token = known ?? (signing.publicKey && readToken(text, signing.publicKey, nowMs));
    if (token === undefined || token.expiresAtMs <= nowMs || !exists(token.functionId)) return undefined;
    if (known === undefined) read.set(digest, token);
    return token;
  };
}
