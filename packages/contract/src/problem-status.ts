/** What went wrong, in the platform's words. Each kind has one HTTP status; both directions use this table. */
export const problemStatus = {
  invalid: 400,
  unauthenticated: 401,
  denied: 403,
  "not-found": 404,
  "not-allowed": 405,
  stalled: 408,
  conflict: 409,
  gone: 410,
  precondition: 412,
  "too-large": 413,
  "target-too-long": 414,
  misdirected: 421,
  exhausted: 429,
  "header-too-large": 431,
  internal: 500,
  failed: 502,
  unavailable: 503,
  timeout: 504,
} as const;

export type ProblemKind = keyof typeof problemStatus;

/** The kind behind a status of ours; statuses that are not in the table count as `internal` or `invalid`. */
export function kindOfStatus(status: number): ProblemKind {
  for (const [kind, known] of Object.entries(problemStatus)) {
    // Object.entries widens the keys of a constant table to string.
    if (known === status) return kind as ProblemKind;
  }
  return status >= 500 ? "internal" : "invalid";
}
