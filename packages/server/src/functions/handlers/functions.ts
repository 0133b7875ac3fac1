import { Problem } from "@chaya/contract";
import { fnRoutes } from "@chaya/contract/fn";
import { type ControlRoute, control } from "../../http/control-route.ts";
import { changeFunction, checkFunctionId, newFunction } from "../fn-spec.ts";
import type { FunctionRecord } from "../model.ts";
import { cutPage, readPage } from "../paging.ts";
import { recordInvalid } from "../record-invalid.ts";
import { invokeUrl, viewFunction } from "../record-views.ts";
import { deleteFunction, insertFunction, listFunctions, readFunction, updateFunction } from "../records/functions.ts";
import type { HandlerDeps } from "./handler-deps.ts";

export function functionRoutes(deps: HandlerDeps): readonly ControlRoute[] {
  const { places } = deps;
  const withEndpoint = (record: FunctionRecord) => viewFunction(record, invokeUrl(deps.publicUrl(), record.id));
  return [
    control(
      fnRoutes.listFns,
      ({ query }) => places.application(query.app_id ?? ""),
      async ({ query }) => {
        if (!query.app_id) throw recordInvalid("Missing AppID on Fn");
        const page = readPage(query);
        const found = await listFunctions(deps, { applicationId: query.app_id, name: query.name || undefined, page });
        const { items, cursor } = cutPage(found, page.itemsMax);
        return { result: { ...(cursor && { next_cursor: cursor }), items: items.map(withEndpoint) } };
      },
    ),
    control(
      fnRoutes.createFn,
      ({ body }) => places.application(body.app_id ?? ""),
      async ({ body, principal }) => {
        const { record, seq } = await insertFunction(deps, newFunction(body), principal.id);
        return { result: withEndpoint(record), seq };
      },
    ),
    control(
      fnRoutes.getFn,
      ({ params }) => places.function(params.fnId),
      async ({ params }) => {
        const record = await readFunction(deps, params.fnId);
        if (record === undefined) throw new Problem("function-not-found", { function: params.fnId });
        return { result: withEndpoint(record) };
      },
    ),
    control(
      fnRoutes.updateFn,
      ({ params }) => places.function(params.fnId),
      async ({ params, body }) => {
        checkFunctionId(body, params.fnId);
        const { record, seq } = await updateFunction(deps, params.fnId, (before) => changeFunction(before, body));
        return { result: viewFunction(record), seq };
      },
    ),
    control(
      fnRoutes.deleteFn,
      ({ params }) => places.function(params.fnId),
      async ({ params }) => {
        const { seq } = await deleteFunction(deps, params.fnId);
        return { seq };
      },
    ),
    ...[fnRoutes.listFnCalls, fnRoutes.getFnCall, fnRoutes.getFnCallLog].map((route) =>
      control(route, ({ params }) => places.function(params.fnId), gone),
    ),
  ];
}

async function gone(): Promise<never> {
  throw new Problem("route-gone");
}
