import type { IncomingMessage } from "node:http";
import type { AnyRoute } from "@chaya/contract";
import type { Admitted } from "./principal.ts";

/** What a request asks for, and from where, as far as judging its credentials needs it. */
export interface Presented {
  readonly route: Pick<AnyRoute, "signedBody">;
  /** The peer's address after trusted proxies. */
  readonly peer: string;
}

/**
 * Judges the credentials of a request; undefined when it carries none. From memory: never waits. Throws
 * `credentials-invalid`, `signature-malformed`, `signature-incomplete` or `signature-date-off`.
 */
export type Authenticate = (request: IncomingMessage, presented: Presented) => Admitted | undefined;

/** Whom a front knows, and whether it must. */
export interface Authentication {
  readonly authenticate: Authenticate;
  /** `--auth required`: what is not open to everyone needs credentials. */
  readonly isRequired: boolean;
}
