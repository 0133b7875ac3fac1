import { limits } from "@chaya/contract";

/** The limits of the front. Tests make them small; the platform takes the contract's. */
export interface FrontLimits {
  readonly requestLineBytesMax: number;
  readonly headerBytesMax: number;
  readonly headersCountMax: number;
  /** From the first byte of a request until its last header. */
  readonly headersTimeoutMs: number;
  readonly bodyStallMs: number;
  readonly responseStallMs: number;
  readonly stallBytesMin: number;
  readonly refusedBodyBytesMax: number;
  readonly keepAliveMs: number;
  readonly lingerMs: number;
  readonly connectionsMax: number;
  /** How often connections are looked over for the limits above. */
  readonly sweepMs: number;
}

export const frontLimits: FrontLimits = { ...limits, sweepMs: 1_000 };
