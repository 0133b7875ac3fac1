import { limits } from "@chaya/contract";
import { RecentMap } from "../../kernel/recent-map.ts";
import { type KeptKeyPairDeps, readOrMakeKeyPair } from "./kept-key-pair.ts";
import { type PublicJwk, publicJwk } from "./key-pair.ts";
import { functionKeyName } from "./records/platform-keys.ts";

export interface FunctionKey {
  /** PEM. */
  readonly privateKey: string;
  readonly jwk: PublicJwk;
}

/** The key pair of each function: in the store as soon as somebody asked for it, in memory those used last. */
export class FunctionKeys {
  readonly #deps: KeptKeyPairDeps;
  readonly #kept = new RecentMap<string, Promise<FunctionKey>>(limits.functionKeysKeptMax);

  constructor(deps: KeptKeyPairDeps) {
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

  /** It is gone. */
  forget(functionId: string): void {
    this.#kept.delete(functionId);
  }

  async #load(functionId: string): Promise<FunctionKey> {
    const { privateKey, publicKey } = await readOrMakeKeyPair(this.#deps, functionKeyName(functionId), {
      // A full disk keeps nobody from calling functions.
      mayBeUnkept: true,
    });
    return { privateKey, jwk: publicJwk(publicKey) };
  }
}
