import { limits } from "@chaya/contract";
import type { Clock } from "../../kernel/clock.ts";
import type { NewId } from "../../kernel/ids.ts";
import { RecentMap } from "../../kernel/recent-map.ts";
import type { CredentialSubject, ResourcePrincipal } from "../../seams.ts";
import type { FunctionKeys } from "./function-keys.ts";
import { signToken } from "./resource-token.ts";
import type { SigningKey } from "./signing-key.ts";

export interface IssuedTokensDeps {
  readonly clock: Clock;
  readonly newId: NewId;
  readonly signing: SigningKey;
  readonly keys: FunctionKeys;
  /** Of the root compartment. */
  readonly rootId: string;
  readonly region: string;
}

interface Issued {
  readonly compartmentId: string;
  readonly refreshAtMs: number;
  readonly principal: Promise<ResourcePrincipal>;
}

/** The newest token of each function that asked lately: its instances share it until it is time for another. */
export class IssuedTokens {
  readonly #deps: IssuedTokensDeps;
  readonly #issued = new RecentMap<string, Issued>(limits.functionKeysKeptMax);

  constructor(deps: IssuedTokensDeps) {
    this.#deps = deps;
  }

  /** Throws `secrets-key-unfit`, `secrets-key-differs`, `secret-unreadable`. */
  issue(subject: CredentialSubject): Promise<ResourcePrincipal> {
    const { functionId, compartmentId } = subject;
    const nowMs = this.#deps.clock.nowMs();
    const refreshAtMs = nowMs + limits.resourceTokenRefreshMs;
    const known = this.#issued.get(functionId);
    // One from the future was made before the clock was set back.
    const isFresh = known !== undefined && nowMs < known.refreshAtMs && known.refreshAtMs <= refreshAtMs;
    if (isFresh && known.compartmentId === compartmentId) return known.principal;
    const principal = this.#make(subject, { nowMs, refreshAtMs });
    const issued = { compartmentId, refreshAtMs, principal };
    this.#issued.set(functionId, issued);
    principal.catch(() => {
      if (this.#issued.get(functionId) === issued) this.#issued.delete(functionId);
    });
    return principal;
  }

  forget(functionId: string): void {
    this.#issued.delete(functionId);
  }

  async #make(
    { functionId, compartmentId }: CredentialSubject,
    { nowMs, refreshAtMs }: { readonly nowMs: number; readonly refreshAtMs: number },
  ): Promise<ResourcePrincipal> {
    const { keys, signing, newId, rootId, region } = this.#deps;
    const [key, signer] = await Promise.all([keys.of(functionId), signing.signer()]);
    const subject = { functionId, compartmentId, rootId, region, jwk: key.jwk };
    const token = await signToken(subject, signer, { nowMs, tokenId: newId() });
    return { token, privateKey: key.privateKey, refreshAtMs };
  }
}
