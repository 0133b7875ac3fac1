// Hot path: ARCHITECTURE, hot-path rules
import type { CallView } from "@chaya/contract/chaya";
import type { Application, FunctionRecord } from "../model.ts";
import type { CallBody } from "./call-body.ts";

/** What is known of a call when it is accepted. */
export interface CallFacts {
  readonly id: string;
  readonly application: Application;
  readonly function: FunctionRecord;
  readonly source: CallView["source"];
  /** 1 for the first. */
  readonly attempt: number;
  readonly acceptedAtMs: number;
  readonly timeout: CallTimeout;
  /** For the function: the caller's, already filtered. */
  readonly headers: readonly string[];
  readonly body: CallBody;
  readonly contentType: string;
  readonly causeId: string | undefined;
  readonly traceId: string | undefined;
}

export interface CallTimeout {
  /** Counts from dispatch. */
  readonly ms: number;
  /** In words, for whoever wants to change it. */
  readonly setBy: string;
}

export interface BodyLimits {
  readonly requestBodyBytesMax: number;
  readonly responseBodyBytesMax: number;
}
