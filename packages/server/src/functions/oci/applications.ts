import { Problem } from "@chaya/contract";
import { ociFunctionsRoutes } from "@chaya/contract/oci/functions";
import { type ControlRoute, control } from "../../http/control-route.ts";
import { checkIfMatch } from "../../http/opc-headers.ts";
import {
  deleteApplication,
  insertApplication,
  readStoredApplication,
  updateApplication,
} from "../records/applications.ts";
import { moveApplication } from "../records/move-application.ts";
import { listApplicationsOf } from "../records/oci-lists.ts";
import { applicationFrom, changedApplication } from "./application-details.ts";
import { applicationIdOf, compartmentIdOf, type OciDeps, placeIn } from "./border.ts";
import { cutOciPage, isInState, readList } from "./page.ts";
import { summarizeApplication, viewOciApplication } from "./views.ts";

export function ociApplicationRoutes(deps: OciDeps): readonly ControlRoute[] {
  return [...collectionRoutes(deps), ...itemRoutes(deps)];
}

function collectionRoutes(deps: OciDeps): readonly ControlRoute[] {
  return [
    control(
      ociFunctionsRoutes.listApplications,
      ({ query }) => placeIn(deps, query.compartmentId),
      async ({ query }) => {
        const compartmentId = knownCompartment(deps, query.compartmentId);
        const list = readList(query, query.id && applicationIdOf(query.id));
        if (!isInState(query)) return { result: [] };
        const { items, nextPage } = cutOciPage(await listApplicationsOf(deps, compartmentId, list), list);
        return { result: items.map((item) => summarizeApplication(deps, item)), nextPage };
      },
    ),
    control(
      ociFunctionsRoutes.createApplication,
      ({ body }) => placeIn(deps, body.compartmentId),
      async ({ body, principal }) => {
        const fields = applicationFrom(body, knownCompartment(deps, body.compartmentId));
        const { record, seq } = await insertApplication(deps, fields, principal.id);
        return { result: viewOciApplication(deps, record), etag: record.etag, seq };
      },
    ),
  ];
}

function itemRoutes(deps: OciDeps): readonly ControlRoute[] {
  const placeOf = ({ params }: { readonly params: { readonly applicationId: string } }) =>
    deps.places.application(applicationIdOf(params.applicationId));
  return [
    control(ociFunctionsRoutes.getApplication, placeOf, async ({ params }) => {
      const record = await readStoredApplication(deps, applicationIdOf(params.applicationId));
      if (record === undefined) throw new Problem("application-not-found", { application: params.applicationId });
      return { result: viewOciApplication(deps, record), etag: record.etag };
    }),
    control(ociFunctionsRoutes.updateApplication, placeOf, async ({ params, body, headers }) => {
      const { record, seq } = await updateApplication(deps, applicationIdOf(params.applicationId), (before) => {
        checkIfMatch(headers, before.etag);
        return changedApplication(before, body);
      });
      return { result: viewOciApplication(deps, record), etag: record.etag, seq };
    }),
    control(ociFunctionsRoutes.deleteApplication, placeOf, async ({ params, headers }) => {
      const check = ({ etag }: { readonly etag: string }) => checkIfMatch(headers, etag);
      const id = applicationIdOf(params.applicationId);
      const { seq } = await deleteApplication(deps, id, { check, isRecursive: false });
      return { seq };
    }),
    control(ociFunctionsRoutes.changeApplicationCompartment, placeOf, async ({ params, body, headers, may }) => {
      const compartmentId = knownCompartment(deps, body.compartmentId);
      // Asked for at both ends: where it is taken from was checked before.
      if (!may({ compartmentId })) throw new Problem("not-authorized");
      const check = ({ etag }: { readonly etag: string }) => checkIfMatch(headers, etag);
      const { seq } = await moveApplication(deps, applicationIdOf(params.applicationId), { compartmentId, check });
      return { seq };
    }),
  ];
}

/** Throws `not-authorized`: a compartment that is not there looks like one that may not be seen. */
function knownCompartment({ hasCompartment }: OciDeps, text: string): string {
  const id = compartmentIdOf(text);
  if (id === undefined || !hasCompartment(id)) throw new Problem("not-authorized");
  return id;
}
