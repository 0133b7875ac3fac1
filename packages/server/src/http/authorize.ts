import type { RouteAuth } from "@chaya/contract";
import type { Principal } from "./principal.ts";

/** Where something is asked for, as access policies see it. */
export interface Place {
  readonly compartmentId: string;
  /** Variables by the name they have in policies after `target.`, as in `app.id`; values are OCIDs and names. */
  readonly target?: Readonly<Record<string, string>>;
  /** Id of the user whose own it is: that user needs no policy for it. */
  readonly ownedBy?: string;
}

/**
 * Whether the principal may do this there; `anywhere`: whether there is a place at all where it may, so that a list can
 * leave out the rest. From memory: never waits.
 */
export type Authorize = (principal: Principal, auth: RouteAuth, place: Place | "anywhere") => boolean;

/** Where there are no access policies. */
export const administratorOnly: Authorize = ({ kind }) => kind === "administrator";

/** Whether the principal may do at a place what a route does: everything it needs, or because it is the principal's own. */
export function mayAt(
  authorize: Authorize,
  principal: Principal,
  auth: RouteAuth | undefined,
): (place: Place | "anywhere") => boolean {
  if (auth === undefined) return () => true;
  const also = auth.also && { ...auth.also, operation: auth.operation };
  return (place) => {
    if (place !== "anywhere" && principal.kind === "user" && place.ownedBy === principal.id) return true;
    return authorize(principal, auth, place) && (also === undefined || authorize(principal, also, place));
  };
}
