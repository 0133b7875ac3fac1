import { Problem } from "@chaya/contract";
import { idOf } from "@chaya/contract/oci";
import { ociIdentityRoutes as routes } from "@chaya/contract/oci/identity";
import { type ControlRoute, control } from "../../http/control-route.ts";
import { deleteGroup, insertGroup, listGroups, readGroup, updateGroup } from "../records/groups.ts";
import { cutPage, readPage } from "../records/identity-page.ts";
import type { IdentityHandlerDeps } from "./handler-deps.ts";
import { checkInTenancy, creationOf, etagCheck, isInState, tagsOf } from "./identity-request.ts";
import { viewGroup } from "./identity-views.ts";

export function groupRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  const { places, rootId } = deps;
  return [
    control(
      routes.listGroups,
      () => places.root,
      async ({ query }) => {
        checkInTenancy(deps, query.compartmentId);
        if (!isInState(query.lifecycleState, "ACTIVE")) return { result: [] };
        const page = readPage(query);
        const { items, nextPage } = cutPage(await listGroups(deps, { name: query.name, page }), page);
        return { result: items.map((group) => viewGroup(group, rootId)), nextPage };
      },
    ),
    control(
      routes.getGroup,
      ({ params }) => places.group(params.groupId),
      async ({ params }) => {
        const group = await readGroup(deps.store.db, idOf("group", params.groupId) ?? "");
        if (group === undefined) throw new Problem("not-authorized");
        return { result: viewGroup(group, rootId), etag: group.etag };
      },
    ),
    control(
      routes.createGroup,
      () => places.root,
      async (request) => {
        const { compartmentId, name, description, ...tags } = request.body;
        checkInTenancy(deps, compartmentId);
        const fields = { name, description, tags: tagsOf(tags) };
        const { record, seq } = await insertGroup(deps, creationOf(request, routes.createGroup), fields);
        return { result: viewGroup(record, rootId), etag: record.etag, seq };
      },
    ),
    control(
      routes.updateGroup,
      ({ params }) => places.group(params.groupId),
      async (request) => {
        const { description, ...tags } = request.body;
        const { record, seq } = await updateGroup(deps, heldBy(request), (before) => ({
          ...before,
          description: description ?? before.description,
          tags: tagsOf(tags, before.tags),
        }));
        return { result: viewGroup(record, rootId), etag: record.etag, seq };
      },
    ),
    control(
      routes.deleteGroup,
      ({ params }) => places.group(params.groupId),
      async (request) => {
        const { seq } = await deleteGroup(deps, heldBy(request));
        return { seq };
      },
    ),
  ];
}

function heldBy(request: { readonly params: { readonly groupId: string } } & Parameters<typeof etagCheck>[0]) {
  return { id: idOf("group", request.params.groupId) ?? "", checkEtag: etagCheck(request) };
}
