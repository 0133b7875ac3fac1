const secondsKept = 5 * 60;

/** Counts cold starts by the second, for five minutes. */
export class StartRate {
  readonly #counts = new Map<number, number>();
  #lastAtMs: number | undefined;

  /** Monotonic; undefined: never. */
  get lastAtMs(): number | undefined {
    return this.#lastAtMs;
  }

  note(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    this.#lastAtMs = nowMs;
    this.#counts.set(second, (this.#counts.get(second) ?? 0) + 1);
  }

  /** How many there were, and the most in one second. */
  read(nowMs: number): { readonly starts: number; readonly peak: number } {
    const oldest = Math.floor(nowMs / 1000) - secondsKept;
    let [starts, peak] = [0, 0];
    for (const [second, count] of this.#counts) {
      if (second <= oldest) this.#counts.delete(second);
      else [starts, peak] = [starts + count, Math.max(peak, count)];
    }
    return { starts, peak };
  }
}
