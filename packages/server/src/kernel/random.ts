import { randomBytes, randomFillSync } from "node:crypto";

/** A source of chance. `number` is uniform in [0, 1) and may be predictable; `bytes` is for secrets and ids. */
export interface Random {
  number(): number;
  bytes(count: number): Uint8Array;
}

const poolBytes = 4096;

/** Asking the system for bytes costs the same for few as for many, so small requests share what was fetched at once. */
export function systemRandom(): Random {
  const pool = new Uint8Array(poolBytes);
  let used = poolBytes;
  const bytes = (count: number): Uint8Array => {
    if (count > poolBytes / 8) return randomBytes(count);
    if (used + count > poolBytes) {
      randomFillSync(pool);
      used = 0;
    }
    const start = used;
    used += count;
    const taken = pool.slice(start, used);
    // Nobody finds a secret here later.
    pool.fill(0, start, used);
    return taken;
  };
  return { number: () => Math.random(), bytes };
}

/** A reproducible source for tests (mulberry32). Never for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const number = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { number, bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(number() * 256)) };
}
