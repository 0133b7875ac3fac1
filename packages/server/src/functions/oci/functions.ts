import { Problem } from "@chaya/contract";
import { ociFunctionsRoutes } from "@chaya/contract/oci/functions";
import { type ControlRoute, control } from "../../http/control-route.ts";
import { checkIfMatch } from "../../http/opc-headers.ts";
import { readApplication } from "../records/applications.ts";
import { deleteFunction, insertFunction, readStoredFunction, updateFunction } from "../records/functions.ts";
import { listFunctionsOf } from "../records/oci-lists.ts";
import { applicationIdOf, functionIdOf, type OciDeps } from "./border.ts";
import { changedFunction, functionFrom } from "./function-details.ts";
import { cutOciPage, isInState, readList } from "./page.ts";
import { summarizeFunction, viewOciFunction } from "./views.ts";

export function ociFunctionRoutes(deps: OciDeps): readonly ControlRoute[] {
  return [...collectionRoutes(deps), ...itemRoutes(deps)];
}

function collectionRoutes(deps: OciDeps): readonly ControlRoute[] {
  const placeOf = (applicationId: string) => deps.places.application(applicationIdOf(applicationId));
  return [
    control(
      ociFunctionsRoutes.listFunctions,
      ({ query }) => placeOf(query.applicationId),
      async ({ query }) => {
        const application = await readApplication(deps, applicationIdOf(query.applicationId));
        if (application === undefined) throw new Problem("application-not-found", { application: query.applicationId });
        const list = readList(query, query.id && functionIdOf(query.id));
        if (!isInState(query)) return { result: [] };
        const { items, nextPage } = cutOciPage(await listFunctionsOf(deps, application.id, list), list);
        return { result: items.map((item) => summarizeFunction(deps, item)), nextPage };
      },
    ),
    control(
      ociFunctionsRoutes.createFunction,
      ({ body }) => placeOf(body.applicationId),
      async ({ body, principal }) => {
        const fields = functionFrom(body, applicationIdOf(body.applicationId));
        const { record, seq } = await insertFunction(deps, fields, principal.id);
        return { result: viewOciFunction(deps, record), etag: record.etag, seq };
      },
    ),
  ];
}

function itemRoutes(deps: OciDeps): readonly ControlRoute[] {
  const placeOf = ({ params }: { readonly params: { readonly functionId: string } }) =>
    deps.places.function(functionIdOf(params.functionId));
  return [
    control(ociFunctionsRoutes.getFunction, placeOf, async ({ params }) => {
      const record = await readStoredFunction(deps, functionIdOf(params.functionId));
      if (record === undefined) throw new Problem("function-not-found", { function: params.functionId });
      return { result: viewOciFunction(deps, record), etag: record.etag };
    }),
    control(ociFunctionsRoutes.updateFunction, placeOf, async ({ params, body, headers }) => {
      const { record, seq } = await updateFunction(deps, functionIdOf(params.functionId), (before) => {
        checkIfMatch(headers, before.etag);
        return changedFunction(before, body);
      });
      return { result: viewOciFunction(deps, record), etag: record.etag, seq };
    }),
    control(ociFunctionsRoutes.deleteFunction, placeOf, async ({ params, headers }) => {
      const { seq } = await deleteFunction(deps, functionIdOf(params.functionId), ({ etag }) =>
        checkIfMatch(headers, etag),
      );
      return { seq };
    }),
  ];
}
