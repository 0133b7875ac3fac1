import { isProblem } from "@chaya/contract";
import type { Store } from "../../drivers/store/driver.ts";
import type { MainTables } from "../../drivers/store/tables.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { SealedBytes } from "../../seams.ts";
import type { KeyPair } from "./key-pair.ts";
import { keepPlatformKey, readPlatformKey, type StoredKey } from "./records/platform-keys.ts";
import type { SpareKeys } from "./spare-keys.ts";

export interface KeptKeyPairDeps {
  readonly store: Store<MainTables>;
  readonly clock: Clock;
  readonly sealed: SealedBytes;
  readonly spares: Pick<SpareKeys, "take" | "giveBack">;
}

/** The key pair of this name, or undefined. Throws `secrets-key-unfit`, `secrets-key-differs`, `secret-unreadable`. */
export async function readKeyPair(
  deps: Pick<KeptKeyPairDeps, "store" | "sealed">,
  name: string,
): Promise<KeyPair | undefined> {
  const stored = await readPlatformKey(deps.store, name);
  return stored && (await openKeyPair(deps.sealed, stored));
}

/**
 * The key pair of this name, made from a spare when there is none. Of several who make it at the same time one wins, and
 * all get the winner's. Throws as `readKeyPair` does, and `storage-full` unless `mayBeUnkept`: then the pair is good until
 * this process ends.
 */
export async function readOrMakeKeyPair(
  deps: KeptKeyPairDeps,
  name: string,
  { mayBeUnkept = false }: { readonly mayBeUnkept?: boolean } = {},
): Promise<KeyPair> {
  const known = await readKeyPair(deps, name);
  if (known !== undefined) return known;
  const spare = await deps.spares.take();
  const sealed = await deps.sealed.seal(placeOf(name), Buffer.from(spare.privateKey));
  const createdAtMs = deps.clock.nowMs();
  const key = { name, sealed, publicPart: spare.publicKey, createdAtMs };
  const kept = await keepPlatformKey(deps.store, key).catch((error: unknown) => {
    if (mayBeUnkept && isProblem(error, "storage-full")) return undefined;
    throw error;
  });
  if (kept === undefined || kept.publicPart === spare.publicKey) return spare;
  // Only now it is sure that this pair was kept nowhere: two functions must never have the same.
  deps.spares.giveBack(spare);
  return openKeyPair(deps.sealed, kept);
}

async function openKeyPair(sealed: SealedBytes, stored: StoredKey): Promise<KeyPair> {
  const opened = await sealed.open(placeOf(stored.name), stored.sealed);
  return { privateKey: Buffer.from(opened).toString(), publicKey: stored.publicPart };
}

function placeOf(name: string) {
  return { purpose: "platform-key", name };
}
