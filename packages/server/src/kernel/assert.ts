/** Throws when `condition` does not hold: a bug of ours, never the caller's fault. `why` says why it must hold. */
export function assert(condition: unknown, why: string): asserts condition {
  if (!condition) throw new AssertionError(why);
}

export class AssertionError extends Error {
  override readonly name = "AssertionError";
}
