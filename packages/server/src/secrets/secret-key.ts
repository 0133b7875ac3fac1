import { createHmac } from "node:crypto";
import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { Problem } from "@chaya/contract";
import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Random } from "../kernel/random.ts";
import { readKeyFingerprint } from "./records/key-fingerprint.ts";
import { hasSealed } from "./records/secrets.ts";
import { keyBytes } from "./sealed-value.ts";

export interface SecretKeyDeps {
  readonly store: Store<MainTables>;
  readonly random: Random;
  /** Inside of the data directory, which no other server uses. */
  readonly keyFile: string;
}

/**
 * The key that seals all secrets: a file outside of the store, made with the first secret. The store knows the key's
 * fingerprint, so that a node with another key neither seals nor opens anything. The file is read for each use, which is
 * rare, so that putting the right one there is all it takes to mend a node.
 */
export class SecretKey {
  readonly #deps: SecretKeyDeps;
  #making: Promise<Uint8Array> | undefined;

  constructor(deps: SecretKeyDeps) {
    this.#deps = deps;
  }

  /** The key that opens what is stored. Throws `secrets-key-unfit`, `secrets-key-differs`. */
  async forOpening(): Promise<Uint8Array> {
    const { store, keyFile } = this.#deps;
    const key = await readKeyFile(keyFile);
    if (key === undefined) throw unfit(`${keyFile} is missing, and it sealed the stored secrets`);
    const expected = await readKeyFingerprint(store);
    if (expected !== undefined && expected !== fingerprintOf(key)) throw this.otherKey();
    return key;
  }

  /** The key that may seal, as far as can be told before it is claimed; made when there is none and nothing is sealed. */
  async forSealing(): Promise<{ readonly key: Uint8Array; readonly fingerprint: string }> {
    const { store, keyFile } = this.#deps;
    if (await hasSealed(store.db)) return withFingerprint(await this.forOpening());
    const key = await readKeyFile(keyFile);
    if (key !== undefined) return withFingerprint(key);
    this.#making ??= this.#make();
    try {
      return withFingerprint(await this.#making);
    } finally {
      this.#making = undefined;
    }
  }

  /** The problem of a node whose key is not the one that sealed. */
  otherKey(): Problem {
    return new Problem("secrets-key-differs");
  }

  /** Whole or not there at all, and on disk before it is used. */
  async #make(): Promise<Uint8Array> {
    const { random, keyFile } = this.#deps;
    // Somebody may have made it since it was looked for.
    const known = await readKeyFile(keyFile);
    if (known !== undefined) return known;
    const key = random.bytes(keyBytes);
    const unfinished = `${keyFile}.new`;
    await using file = await open(unfinished, "w", 0o600);
    await file.chmod(0o600);
    await file.writeFile(key);
    await file.sync();
    await rename(unfinished, keyFile);
    await using directory = await open(dirname(keyFile));
    await directory.sync();
    return key;
  }
}

async function readKeyFile(path: string): Promise<Uint8Array | undefined> {
  try {
    await using file = await open(path);
    const { mode, size } = await file.stat();
    if (size !== keyBytes) throw unfit(`${path} has ${size} bytes instead of ${keyBytes}`);
    if ((mode & 0o077) !== 0) throw unfit(`${path} is open to other users; give it mode 600`);
    return await file.readFile();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return undefined;
    if (code === "EACCES" || code === "EISDIR") throw unfit(`${path} cannot be read (${code})`, error);
    throw error;
  }
}

function withFingerprint(key: Uint8Array) {
  return { key, fingerprint: fingerprintOf(key) };
}

/** Tells keys apart and says nothing else about them. */
function fingerprintOf(key: Uint8Array): string {
  return createHmac("sha256", key).update("chaya secrets key").digest("hex");
}

function unfit(reason: string, cause?: unknown): Problem {
  return new Problem("secrets-key-unfit", { reason }, { cause });
}
