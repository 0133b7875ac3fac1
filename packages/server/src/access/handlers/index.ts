import type { ControlRoute } from "../../http/control-route.ts";
import { compartmentRoutes } from "./compartments.ts";
import { credentialRoutes } from "./credentials.ts";
import { dynamicGroupRoutes } from "./dynamic-groups.ts";
import { groupRoutes } from "./groups.ts";
import type { IdentityHandlerDeps } from "./handler-deps.ts";
import { createIdentityPlaces } from "./identity-places.ts";
import { membershipRoutes } from "./memberships.ts";
import { policyRoutes } from "./policies.ts";
import { tenancyRoutes } from "./tenancy.ts";
import { userRoutes } from "./users.ts";

export type IdentityApiDeps = Omit<IdentityHandlerDeps, "places">;

/** OCI's Identity API over the records of identity. */
export function identityRoutes(deps: IdentityApiDeps): readonly ControlRoute[] {
  const handled = { ...deps, places: createIdentityPlaces(deps.directory) };
  return [
    ...tenancyRoutes(handled),
    ...compartmentRoutes(handled),
    ...userRoutes(handled),
    ...credentialRoutes(handled),
    ...groupRoutes(handled),
    ...membershipRoutes(handled),
    ...dynamicGroupRoutes(handled),
    ...policyRoutes(handled),
  ];
}
