import { memberRoutes } from "./member-routes.ts";
import { placeRoutes } from "./place-routes.ts";

/**
 * The part of OCI's Identity API that this platform has. Tenancies, users, groups and dynamic groups are asked for in
 * the root compartment. Users need no policy for their own API keys and auth tokens.
 */
export const ociIdentityRoutes = { ...placeRoutes, ...memberRoutes } as const;
