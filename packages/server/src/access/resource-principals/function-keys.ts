import { limits } from "@chaya/contract";
import type { Logger } from "../../kernel/logger.ts";
import { RecentMap } from "../../kernel/recent-map.ts";
import { type KeptKeyPairDeps, readOrMakeKeyPair } from "./kept-key-pair.ts";
import { type PublicJwk, publicJwk } from "./key-pair.ts";
import { functionKeyName } from "./records/platform-keys.ts";
import type { SpareKeys } from "./spare-keys.ts";

export interface FunctionKey {
  /** PEM. */
  readonly privateKey: string;
  readonly jwk: PublicJwk;
}

export interface FunctionKeysDeps extends Omit<KeptKeyPairDeps, "spares"> {
  readonly logger: Logger;
  readonly spares: SpareKeys;
  /** Whether there is such a function, from memory. */
  readonly exists: (functionId: string) => boolean;
}

/**
 * The key pair of each function: in the store from its creation on, or from its first start; in memory those used last.
 * What is prepared waits until no start wants a spare.
 */
export class FunctionKeys implements AsyncDisposable {
  readonly #deps: FunctionKeysDeps;
  readonly #kept = new RecentMap<string, Promise<FunctionKey>>(limits.functionKeysKeptMax);
  /** Functions that were deployed lately; in order. */
  readonly #awaited = new Set<string>();
  #preparing: Promise<void> | undefined;
  #isClosed = false;

  constructor(deps: FunctionKeysDeps) {
    this.#deps = deps;
  }

  /** Throws `secrets-key-unfit`, `secrets-key-differs`, `secret-unreadable`. */
  of(functionId: string): Promise<FunctionKey> {
    const known = this.#kept.get(functionId);
    if (known !== undefined) return known;
    const loading = this.#load(functionId);
    this.#kept.set(functionId, loading);
    loading.catch(() => this.#kept.delete(functionId));
    return loading;
  }

  /** A first start is likely to come. Of very many, the last have to make their key then. */
  prepare(functionId: string): void {
    if (this.#isClosed || this.#awaited.size >= limits.functionKeysAwaitedMax) return;
    if (this.#kept.get(functionId) !== undefined) return;
    this.#awaited.add(functionId);
    this.#preparing ??= this.#prepareAwaited();
  }

  /** It is gone. */
  forget(functionId: string): void {
    this.#kept.delete(functionId);
    this.#awaited.delete(functionId);
  }

  /** Close the spares first: nothing is waited for then. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#preparing;
  }

  async #load(functionId: string): Promise<FunctionKey> {
    const { privateKey, publicKey } = await readOrMakeKeyPair(this.#deps, functionKeyName(functionId));
    return { privateKey, jwk: publicJwk(publicKey) };
  }

  async #prepareAwaited(): Promise<void> {
    const { spares, exists, logger } = this.#deps;
    try {
      for (const functionId of this.#awaited) {
        await spares.full();
        this.#awaited.delete(functionId);
        if (exists(functionId)) await this.of(functionId);
      }
    } catch (error) {
      this.#awaited.clear();
      // A start that needs one tries again, and tells its caller what is wrong.
      if (!this.#isClosed) logger.warn("key pairs of new functions could not be made", { error });
    } finally {
      this.#preparing = undefined;
    }
  }
}
