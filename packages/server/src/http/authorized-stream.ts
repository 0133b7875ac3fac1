import { type AnyRoute, Problem } from "@chaya/contract";
import { assert } from "../kernel/assert.ts";
import type { Audit } from "./audit.ts";
import { audited } from "./audited.ts";
import type { Authorize, Place } from "./authorize.ts";
import type { Exchange, ServedRoute } from "./exchange.ts";

/** What a streamed control route serves once its principal has been checked. */
export type ServeAuthorized = (exchange: Exchange, may: (place: Place) => boolean) => void | Promise<void>;

export interface LocatedRoute {
  readonly route: AnyRoute;
  readonly locate: (exchange: Exchange) => Place | "anywhere" | Promise<Place>;
}

/** A control route that the front serves itself: its principal is checked where `locate` says, as the control server does. */
export function authorizedStream(
  { authorize, audit }: { readonly authorize: Authorize; readonly audit: Audit },
  { route, locate }: LocatedRoute,
  serve: ServeAuthorized,
): ServedRoute {
  const { auth } = route;
  assert(auth !== undefined, `${route.path} says what its principal must be allowed to do`);
  return {
    route,
    serve: async (exchange) => {
      const { principal, response } = exchange;
      const place = await locate(exchange);
      await audited(audit, { route, exchange, place }, async () => {
        if (!authorize(principal, auth, place)) throw new Problem("not-authorized");
        await serve(exchange, (other) => authorize(principal, auth, other));
        return { status: response.statusCode, result: undefined, shown: undefined };
      });
    },
  };
}
