export interface Backoff {
  /** Delay before the first repeat. */
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Exponential delay with full jitter before repeat number `repeat` (1 is the first): uniform in
 * (0, min(maxMs, baseMs · 2^(repeat−1))], never below 1 ms. `random` is in [0, 1).
 */
export function retryDelayMs(repeat: number, backoff: Backoff, random: number): number {
  const ceiling = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(repeat - 1, 40));
  return Math.max(1, Math.ceil(ceiling * (1 - random)));
}
