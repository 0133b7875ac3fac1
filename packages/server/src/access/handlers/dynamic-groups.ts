import { Problem } from "@chaya/contract";
import { idOf } from "@chaya/contract/oci";
import { ociIdentityRoutes as routes } from "@chaya/contract/oci/identity";
import { type ControlRoute, control } from "../../http/control-route.ts";
import { parseMatchingRule } from "../policies/matching-rule.ts";
import {
  deleteDynamicGroup,
  insertDynamicGroup,
  listDynamicGroups,
  readDynamicGroup,
  updateDynamicGroup,
} from "../records/dynamic-groups.ts";
import { cutPage, readPage } from "../records/identity-page.ts";
import type { IdentityHandlerDeps } from "./handler-deps.ts";
import { checkInTenancy, creationOf, etagCheck, isInState, tagsOf } from "./identity-request.ts";
import { viewDynamicGroup } from "./identity-views.ts";

export function dynamicGroupRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  const { places, rootId } = deps;
  return [
    control(
      routes.listDynamicGroups,
      () => places.root,
      async ({ query }) => {
        checkInTenancy(deps, query.compartmentId);
        if (!isInState(query.lifecycleState, "ACTIVE")) return { result: [] };
        const page = readPage(query);
        const { items, nextPage } = cutPage(await listDynamicGroups(deps, { name: query.name, page }), page);
        return { result: items.map((group) => viewDynamicGroup(group, rootId)), nextPage };
      },
    ),
    control(
      routes.getDynamicGroup,
      ({ params }) => places.dynamicGroup(params.dynamicGroupId),
      async ({ params }) => {
        const group = await readDynamicGroup(deps.store.db, idOf("dynamicgroup", params.dynamicGroupId) ?? "");
        if (group === undefined) throw new Problem("not-authorized");
        return { result: viewDynamicGroup(group, rootId), etag: group.etag };
      },
    ),
    control(
      routes.createDynamicGroup,
      () => places.root,
      async (request) => {
        const { compartmentId, name, description, matchingRule, ...tags } = request.body;
        checkInTenancy(deps, compartmentId);
        parseMatchingRule(matchingRule);
        const fields = { name, description, matchingRule, tags: tagsOf(tags) };
        const { record, seq } = await insertDynamicGroup(deps, creationOf(request, routes.createDynamicGroup), fields);
        return { result: viewDynamicGroup(record, rootId), etag: record.etag, seq };
      },
    ),
    control(
      routes.updateDynamicGroup,
      ({ params }) => places.dynamicGroup(params.dynamicGroupId),
      async (request) => {
        const { description, matchingRule, ...tags } = request.body;
        if (matchingRule !== undefined) parseMatchingRule(matchingRule);
        const { record, seq } = await updateDynamicGroup(deps, heldBy(request), (before) => ({
          ...before,
          description: description ?? before.description,
          matchingRule: matchingRule ?? before.matchingRule,
          tags: tagsOf(tags, before.tags),
        }));
        return { result: viewDynamicGroup(record, rootId), etag: record.etag, seq };
      },
    ),
    control(
      routes.deleteDynamicGroup,
      ({ params }) => places.dynamicGroup(params.dynamicGroupId),
      async (request) => {
        const { seq } = await deleteDynamicGroup(deps, heldBy(request));
        return { seq };
      },
    ),
  ];
}

function heldBy(request: { readonly params: { readonly dynamicGroupId: string } } & Parameters<typeof etagCheck>[0]) {
  return { id: idOf("dynamicgroup", request.params.dynamicGroupId) ?? "", checkEtag: etagCheck(request) };
}
