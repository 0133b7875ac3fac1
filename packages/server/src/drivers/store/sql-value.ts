/** What both databases can store and give back unchanged. Integers lie within ±2^53. */
export type SqlValue = string | number | Uint8Array | null;
