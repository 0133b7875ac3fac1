import { Problem } from "@chaya/contract";
import { idOf } from "@chaya/contract/oci";
import { ociIdentityRoutes as routes } from "@chaya/contract/oci/identity";
import { type ControlRoute, control } from "../../http/control-route.ts";
import { namesOfRegion } from "../policies/region-keys.ts";
import type { IdentityHandlerDeps } from "./handler-deps.ts";
import { compartmentIdOf } from "./identity-request.ts";
import { compartmentOcid } from "./identity-views.ts";

/** The tenancy and where it is: one region with one availability domain. */
export function tenancyRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  const { places, rootId, region } = deps;
  const key = (namesOfRegion(region).at(-1) ?? region).toUpperCase();
  const checkTenancy = (text: string) => {
    if (idOf("tenancy", text) !== rootId) throw new Problem("not-authorized");
  };
  return [
    control(
      routes.getTenancy,
      () => places.root,
      async ({ params }) => {
        checkTenancy(params.tenancyId);
        const tenancy = deps.directory.compartment(rootId);
        if (tenancy === undefined) throw new Problem("not-authorized");
        const { name, description } = tenancy;
        const id = compartmentOcid(rootId, rootId);
        return { result: { id, name, description, homeRegionKey: key, freeformTags: {}, definedTags: {} } };
      },
    ),
    control(
      routes.listRegions,
      () => places.root,
      async () => ({ result: [{ key, name: region }] }),
    ),
    control(
      routes.listRegionSubscriptions,
      () => places.root,
      async ({ params }) => {
        checkTenancy(params.tenancyId);
        return { result: [{ regionKey: key, regionName: region, status: "READY" as const, isHomeRegion: true }] };
      },
    ),
    control(
      routes.listAvailabilityDomains,
      ({ query }) => places.compartment(compartmentIdOf(query.compartmentId)),
      async ({ query }) => {
        const id = compartmentIdOf(query.compartmentId);
        if (deps.directory.compartment(id) === undefined) throw new Problem("not-authorized");
        const name = `chaya:${region.toUpperCase()}-AD-1`;
        return { result: [{ name, compartmentId: compartmentOcid(id, rootId) }] };
      },
    ),
  ];
}
