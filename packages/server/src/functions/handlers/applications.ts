import { Problem } from "@chaya/contract";
import { fnRoutes } from "@chaya/contract/fn";
import { type ControlRoute, control } from "../../http/control-route.ts";
import { changeApplication, checkApplicationId, newApplication } from "../app-spec.ts";
import { cutPage, readPage } from "../paging.ts";
import { viewApplication } from "../record-views.ts";
import {
  deleteApplication,
  insertApplication,
  listApplications,
  readApplication,
  updateApplication,
} from "../records/applications.ts";
import type { HandlerDeps } from "./handler-deps.ts";

export function applicationRoutes(deps: HandlerDeps): readonly ControlRoute[] {
  const { places } = deps;
  return [
    control(
      fnRoutes.listApps,
      () => "anywhere",
      async ({ query, may }) => {
        const page = readPage(query);
        const found = await listApplications(deps, { name: query.name || undefined, page });
        const { items, cursor } = cutPage(found, page.itemsMax);
        const seen = items.filter(({ id }) => may(places.application(id)));
        return { result: { ...(cursor && { next_cursor: cursor }), items: seen.map(viewApplication) } };
      },
    ),
    control(
      fnRoutes.createApp,
      () => places.root,
      async ({ body, principal }) => {
        const { record, seq } = await insertApplication(deps, newApplication(body), principal.id);
        return { result: viewApplication(record), seq };
      },
    ),
    control(
      fnRoutes.getApp,
      ({ params }) => places.application(params.appId),
      async ({ params }) => {
        const application = await readApplication(deps, params.appId);
        if (application === undefined) throw new Problem("application-not-found", { application: params.appId });
        return { result: viewApplication(application) };
      },
    ),
    control(
      fnRoutes.updateApp,
      ({ params }) => places.application(params.appId),
      async ({ params, body }) => {
        checkApplicationId(body, params.appId);
        const { record, seq } = await updateApplication(deps, params.appId, (before) =>
          changeApplication(before, body),
        );
        return { result: viewApplication(record), seq };
      },
    ),
    control(
      fnRoutes.deleteApp,
      ({ params }) => places.application(params.appId),
      async ({ params }) => {
        const { seq } = await deleteApplication(deps, params.appId, { isRecursive: true });
        return { seq };
      },
    ),
  ];
}
