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
import type { RecordDeps } from "../records/commit.ts";

export function applicationRoutes(deps: RecordDeps): readonly ControlRoute[] {
  return [
    control(fnRoutes.listApps, async ({ query }) => {
      const page = readPage(query);
      const found = await listApplications(deps, { name: query.name || undefined, page });
      const { items, cursor } = cutPage(found, page.itemsMax);
      return { result: { ...(cursor && { next_cursor: cursor }), items: items.map(viewApplication) } };
    }),
    control(fnRoutes.createApp, async ({ body, principal }) => {
      const { record, seq } = await insertApplication(deps, newApplication(body), principal.id);
      return { result: viewApplication(record), seq };
    }),
    control(fnRoutes.getApp, async ({ params }) => {
      const application = await readApplication(deps, params.appId);
      if (application === undefined) throw new Problem("application-not-found", { application: params.appId });
      return { result: viewApplication(application) };
    }),
    control(fnRoutes.updateApp, async ({ params, body }) => {
      checkApplicationId(body, params.appId);
      const { record, seq } = await updateApplication(deps, params.appId, (before) => changeApplication(before, body));
      return { result: viewApplication(record), seq };
    }),
    control(fnRoutes.deleteApp, async ({ params }) => {
      const { seq } = await deleteApplication(deps, params.appId);
      return { seq };
    }),
  ];
}
