import { Problem } from "@chaya/contract";
import { idOf } from "@chaya/contract/oci";
import { ociIdentityRoutes as routes } from "@chaya/contract/oci/identity";
import { type ControlRoute, control } from "../../http/control-route.ts";
import { cutPage, readPage } from "../records/identity-page.ts";
import { deleteMembership, insertMembership, listMemberships, readMembership } from "../records/memberships.ts";
import type { IdentityHandlerDeps } from "./handler-deps.ts";
import { checkInTenancy, creationOf, etagCheck } from "./identity-request.ts";
import { viewMembership } from "./identity-views.ts";

export function membershipRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  const { places, rootId, directory } = deps;
  const membershipId = (text: string) => idOf("groupmembership", text) ?? "";
  const placeOf = (text: string) => places.membership(directory.membership(membershipId(text)) ?? {});
  return [
    control(
      routes.listUserGroupMemberships,
      ({ query }) => places.membership(query),
      async ({ query }) => {
        checkInTenancy(deps, query.compartmentId);
        const page = readPage(query);
        const userId = query.userId === undefined ? undefined : (idOf("user", query.userId) ?? "");
        const groupId = query.groupId === undefined ? undefined : (idOf("group", query.groupId) ?? "");
        const { items, nextPage } = cutPage(await listMemberships(deps, { userId, groupId, page }), page);
        return { result: items.map((membership) => viewMembership(membership, rootId)), nextPage };
      },
    ),
    control(
      routes.addUserToGroup,
      ({ body }) => places.membership(body),
      async (request) => {
        const pair = {
          userId: idOf("user", request.body.userId) ?? "",
          groupId: idOf("group", request.body.groupId) ?? "",
        };
        const { record, seq } = await insertMembership(deps, creationOf(request, routes.addUserToGroup), pair);
        return { result: viewMembership(record, rootId), etag: record.id, seq };
      },
    ),
    control(
      routes.getUserGroupMembership,
      ({ params }) => placeOf(params.userGroupMembershipId),
      async ({ params }) => {
        const membership = await readMembership(deps.store.db, membershipId(params.userGroupMembershipId));
        if (membership === undefined) throw new Problem("not-authorized");
        return { result: viewMembership(membership, rootId), etag: membership.id };
      },
    ),
    control(
      routes.removeUserFromGroup,
      ({ params }) => placeOf(params.userGroupMembershipId),
      async (request) => {
        const id = membershipId(request.params.userGroupMembershipId);
        const { seq } = await deleteMembership(deps, { id, checkEtag: etagCheck(request) });
        return { seq };
      },
    ),
  ];
}
