import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { type KeptKeyPairDeps, readKeyPair, readOrMakeKeyPair } from "./kept-key-pair.ts";
import { type KeyPair, publicJwk } from "./key-pair.ts";
import type { TokenSigner } from "./resource-token.ts";

const name = "resource-principals";

interface Known {
  readonly signer: TokenSigner;
  readonly publicKey: KeyObject;
}

/** The pair that signs the tokens of all functions: made once for all nodes, with the first function or soon after. */
export class SigningKey {
  readonly #deps: KeptKeyPairDeps;
  #known: Known | undefined;
  #loading: Promise<Known> | undefined;

  private constructor(deps: KeptKeyPairDeps) {
    this.#deps = deps;
  }

  /** Throws `secrets-key-unfit`, `secrets-key-differs`, `secret-unreadable`. */
  static async open(deps: KeptKeyPairDeps): Promise<SigningKey> {
    const key = new SigningKey(deps);
    const pair = await readKeyPair(deps, name);
    if (pair !== undefined) key.#known = knownOf(pair);
    return key;
  }

  /** Verifies tokens; undefined: there is none yet. */
  get publicKey(): KeyObject | undefined {
    return this.#known?.publicKey;
  }

  /** Throws as `open` does. */
  async signer(): Promise<TokenSigner> {
    if (this.#known !== undefined) return this.#known.signer;
    this.#loading ??= readOrMakeKeyPair(this.#deps, name).then(knownOf);
    try {
      this.#known = await this.#loading;
      return this.#known.signer;
    } finally {
      this.#loading = undefined;
    }
  }
}

function knownOf(pair: KeyPair): Known {
  const signer = { privateKey: createPrivateKey(pair.privateKey), kid: publicJwk(pair.publicKey).kid };
  return { signer, publicKey: createPublicKey(pair.publicKey) };
}
