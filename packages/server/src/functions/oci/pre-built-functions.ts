import { Problem } from "@chaya/contract";
import { ociFunctionsRoutes } from "@chaya/contract/oci/functions";
import { type ControlRoute, control } from "../../http/control-route.ts";

/** OCI's catalogue of pre-built functions, which is empty here. */
export function preBuiltFunctionRoutes(): readonly ControlRoute[] {
  const none = async () => ({ result: { items: [] } });
  const notFound = async () => {
    throw new Problem("pbf-listing-not-found");
  };
  return [
    control(ociFunctionsRoutes.listPbfListings, () => "anywhere", none),
    control(ociFunctionsRoutes.listPbfListingVersions, () => "anywhere", none),
    control(ociFunctionsRoutes.getPbfListingVersion, () => "anywhere", notFound),
    // `/pbfListings/triggers` is another operation of OCI's, listTriggers.
    control(
      ociFunctionsRoutes.getPbfListing,
      () => "anywhere",
      ({ params }) => (params.pbfListingId === "triggers" ? none() : notFound()),
    ),
  ];
}
