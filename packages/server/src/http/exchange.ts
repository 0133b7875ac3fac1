import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { AnyRoute } from "@chaya/contract";
import type { Admitted } from "./principal.ts";

/** One request on a door that streams: raw path and query, nothing decoded, body not read. */
export interface Exchange extends Admitted {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The path as it came, without the query. */
  readonly path: string;
  /** The query as it came, without `?`; empty when there was none. */
  readonly query: string;
  readonly requestId: string;
  /** The peer's address, after trusted proxies. */
  readonly peer: string;
  /** Present when the client asks to change to the protocol that the route declares. */
  readonly upgrade?: Upgrade | undefined;
}

/** A connection that may change to another protocol (RFC 9110 §7.8); until `accept` the exchange is an ordinary one. */
export interface Upgrade {
  readonly protocol: string;
  /** Answers 101. The connection is the caller's from now on; the front destroys it when it closes. */
  accept(): Duplex;
}

/** Serves an exchange. What it throws or rejects with becomes the answer in the dialect of its prefix. */
export type ServeExchange = (exchange: Exchange) => void | Promise<void>;

/** A declared route with what answers it. */
export interface ServedRoute {
  readonly route: AnyRoute;
  readonly serve: ServeExchange;
}
