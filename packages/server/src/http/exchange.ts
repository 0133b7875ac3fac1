import type { IncomingMessage, ServerResponse } from "node:http";
import type { AnyRoute } from "@chaya/contract";

/** One request on a door that streams: raw path and query, nothing decoded, body not read. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The path as it came, without the query. */
  readonly path: string;
  /** The query as it came, without `?`; empty when there was none. */
  readonly query: string;
  readonly requestId: string;
  /** The peer's address, after trusted proxies. */
  readonly peer: string;
}

/** Serves an exchange. What it throws or rejects with becomes the answer in the dialect of its prefix. */
export type ServeExchange = (exchange: Exchange) => void | Promise<void>;

/** A declared route with what answers it. */
export interface ServedRoute {
  readonly route: AnyRoute;
  readonly serve: ServeExchange;
}
