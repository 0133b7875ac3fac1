import type { AnyRoute, RouteBody, RouteParameters, RouteQuery, RouteResult } from "@chaya/contract";

export interface Principal {
  readonly id: string;
  readonly kind: "administrator";
}

export interface ControlRequest<R extends AnyRoute> {
  readonly params: RouteParameters<R>;
  readonly query: RouteQuery<R>;
  readonly body: RouteBody<R>;
  readonly principal: Principal;
  readonly requestId: string;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

/** What a handler gives back. `seq` is the newest change it made: sent as `Chaya-Seq` for read-your-writes. */
export interface ControlAnswer<R extends AnyRoute> {
  readonly result?: RouteResult<R> | undefined;
  readonly seq?: number | undefined;
}

export type ControlHandler<R extends AnyRoute> = (request: ControlRequest<R>) => Promise<ControlAnswer<R>>;

/** A route of the contract with what answers it. */
export interface ControlRoute {
  readonly route: AnyRoute;
  readonly handle: ControlHandler<AnyRoute>;
}

/** Pairs a route with its handler; the types of both are checked here and forgotten afterwards. */
export function control<R extends AnyRoute>(route: R, handle: ControlHandler<R>): ControlRoute {
  // The control server parses with this very route's schemas before it calls the handler.
  return { route, handle: handle as unknown as ControlHandler<AnyRoute> };
}
