import type { IncomingHttpHeaders } from "node:http";
import type { AnyRoute, RouteBody, RouteParameters, RouteQuery, RouteResult } from "@chaya/contract";
import type { Place } from "./authorize.ts";
import type { Principal } from "./principal.ts";

export interface ControlRequest<R extends AnyRoute> {
  readonly params: RouteParameters<R>;
  readonly query: RouteQuery<R>;
  readonly body: RouteBody<R>;
  readonly principal: Principal;
  /** Whether the principal may do at another place what this route does: lists leave out the rest. */
  readonly may: (place: Place) => boolean;
  readonly headers: Readonly<IncomingHttpHeaders>;
  readonly requestId: string;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

/** What a handler gives back. `seq` is the newest change it made: sent as `Chaya-Seq` for read-your-writes. */
export interface ControlAnswer<R extends AnyRoute> {
  readonly result?: RouteResult<R> | undefined;
  readonly seq?: number | undefined;
  /** Of a single OCI resource. */
  readonly etag?: string | undefined;
  /** Of an OCI list that goes on: the opaque token for `page`. */
  readonly nextPage?: string | undefined;
}

export type ControlHandler<R extends AnyRoute> = (request: ControlRequest<R>) => Promise<ControlAnswer<R>>;

/** What a request asks about, before anything is done. */
export type Asked<R extends AnyRoute> = Pick<ControlRequest<R>, "params" | "query" | "body" | "principal">;

/**
 * Where a request asks for what its route does. The principal is checked there before the handler runs; what does not
 * exist is asked for in the root compartment, so that it looks the same as what may not be seen. `anywhere` is for lists
 * over all compartments, whose handler asks `may` for each item.
 */
export type Locate<R extends AnyRoute> = (asked: Asked<R>) => Place | "anywhere" | Promise<Place>;

/** A route of the contract with what answers it. */
export interface ControlRoute {
  readonly route: AnyRoute;
  readonly locate: Locate<AnyRoute>;
  readonly handle: ControlHandler<AnyRoute>;
}

/** Pairs a route with its place and its handler; the types are checked here and forgotten afterwards. */
export function control<R extends AnyRoute>(route: R, locate: Locate<R>, handle: ControlHandler<R>): ControlRoute {
  // The control server parses with this very route's schemas before it calls either.
  return {
    route,
    locate: locate as unknown as Locate<AnyRoute>,
    handle: handle as unknown as ControlHandler<AnyRoute>,
  };
}
