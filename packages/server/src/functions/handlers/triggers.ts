import { Problem } from "@chaya/contract";
import { fnRoutes } from "@chaya/contract/fn";
import { type ControlRoute, control } from "../../http/control-route.ts";
import type { Trigger } from "../model.ts";
import { cutPage, readPage } from "../paging.ts";
import { recordInvalid } from "../record-invalid.ts";
import { triggerUrl, viewTrigger } from "../record-views.ts";
import { readApplication } from "../records/applications.ts";
import {
  deleteTrigger,
  insertTrigger,
  listTriggers,
  readTrigger,
  readTriggerAt,
  updateTrigger,
} from "../records/triggers.ts";
import { changeTrigger, checkTriggerId, newTrigger } from "../trigger-spec.ts";
import type { HandlerDeps } from "./handler-deps.ts";

export function triggerRoutes(deps: HandlerDeps): readonly ControlRoute[] {
  const { places } = deps;
  return [
    control(
      fnRoutes.listTriggers,
      ({ query }) => places.application(query.app_id ?? ""),
      async ({ query }) => {
        if (!query.app_id) throw recordInvalid("Missing App ID on Trigger");
        const page = readPage(query);
        const filter = { functionId: query.fn_id || undefined, name: query.name || undefined, page };
        const found = await listTriggers(deps, { applicationId: query.app_id, ...filter });
        const { items, cursor } = cutPage(found, page.itemsMax);
        return { result: { ...(cursor && { next_cursor: cursor }), items: await withEndpoints(deps, items) } };
      },
    ),
    control(
      fnRoutes.createTrigger,
      ({ body }) => places.function(body.fn_id ?? "", body.app_id ?? ""),
      async ({ body, principal }) => {
        const { record, seq } = await insertTrigger(deps, newTrigger(body), principal.id);
        const [result] = await withEndpoints(deps, [record]);
        return { result, seq };
      },
    ),
    control(
      fnRoutes.getTrigger,
      ({ params }) => places.trigger(params.triggerId),
      async ({ params }) => {
        const trigger = await readTrigger(deps, params.triggerId);
        if (trigger === undefined) throw new Problem("trigger-not-found", { trigger: params.triggerId });
        const [result] = await withEndpoints(deps, [trigger]);
        return { result };
      },
    ),
    control(
      fnRoutes.updateTrigger,
      ({ params }) => places.trigger(params.triggerId),
      async ({ params, body }) => {
        checkTriggerId(body, params.triggerId);
        const { record, seq } = await updateTrigger(deps, params.triggerId, (before) => changeTrigger(before, body));
        return { result: viewTrigger(record), seq };
      },
    ),
    control(
      fnRoutes.deleteTrigger,
      ({ params }) => places.trigger(params.triggerId),
      async ({ params }) => {
        const { seq } = await deleteTrigger(deps, params.triggerId);
        return { seq };
      },
    ),
    findBySource(deps),
  ];
}

/** Fn's load balancers put the source, slash and all, behind a slash of the path. */
function findBySource(deps: HandlerDeps): ControlRoute {
  return control(
    fnRoutes.findTriggerBySource,
    ({ params }) => deps.places.application(params.appId),
    async ({ params: { appId, type, source } }) => {
      const trigger = await readTriggerAt(deps, { applicationId: appId, type, source });
      if (trigger === undefined) throw new Problem("trigger-not-found", { trigger: source });
      return { result: viewTrigger(trigger) };
    },
  );
}

/** The triggers are of one application. */
async function withEndpoints(deps: HandlerDeps, triggers: readonly Trigger[]) {
  const [first] = triggers;
  const application = first && (await readApplication(deps, first.applicationId));
  return triggers.map((trigger) =>
    // The application may have been deleted since the triggers were read: then they have no address either.
    viewTrigger(trigger, application && triggerUrl(deps.publicUrl(), application.name, trigger.source)),
  );
}
