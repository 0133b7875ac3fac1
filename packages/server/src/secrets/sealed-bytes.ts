import { Problem } from "@chaya/contract";
import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Random } from "../kernel/random.ts";
import type { SealedBytes } from "../seams.ts";
import { claimKeyForGood, isKeyClaimedForGood } from "./records/key-fingerprint.ts";
import { hasSealed } from "./records/secrets.ts";
import { nonceBytes, openBytes, sealBytes } from "./sealed-value.ts";
import type { SecretKey } from "./secret-key.ts";

export interface SealedBytesDeps {
  readonly store: Store<MainTables>;
  readonly random: Random;
  readonly key: SecretKey;
}

/** Seals for other services. Before the first bytes are given out, the key is claimed for good. */
export function createSealedBytes({ store, random, key }: SealedBytesDeps): SealedBytes {
  let claimed: string | undefined;
  return {
    seal: async (place, bytes) => {
      const sealing = await key.forSealing();
      const { fingerprint } = sealing;
      if (fingerprint !== claimed) {
        // Nothing is written for what is known already: the disk may be full.
        const isOurs =
          (await isKeyClaimedForGood(store.db, fingerprint)) ||
          (await store.transaction((tx) => claimKeyForGood(tx, fingerprint, hasSealed)));
        if (!isOurs) throw key.otherKey();
        claimed = fingerprint;
      }
      return sealBytes({ key: sealing.key, nonce: random.bytes(nonceBytes), place: placeBytes(place) }, bytes);
    },
    open: async (place, sealed) => {
      const opened = openBytes({ key: await key.forOpening(), place: placeBytes(place) }, sealed);
      if (opened === undefined) throw new Problem("secret-unreadable", { secret: place.name });
      return opened;
    },
  };
}

/** Two words where a secret has four: neither can stand in for the other. */
function placeBytes({ purpose, name }: Parameters<SealedBytes["seal"]>[0]): Buffer {
  return Buffer.from(JSON.stringify([purpose, name]));
}
