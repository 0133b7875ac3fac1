import { randomBytes } from "node:crypto";

/** A source of chance. `number` is uniform in [0, 1) and may be predictable; `bytes` is for secrets and ids. */
export interface Random {
  number(): number;
  bytes(count: number): Uint8Array;
}

export function systemRandom(): Random {
  return { number: () => Math.random(), bytes: (count) => randomBytes(count) };
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
