import { Problem } from "@chaya/contract";
import { idOf } from "@chaya/contract/oci";
import { ociIdentityRoutes as routes } from "@chaya/contract/oci/identity";
import { type ControlRoute, control } from "../../http/control-route.ts";
import type { Committed } from "../records/commit.ts";
import { cutPage, readPage } from "../records/identity-page.ts";
import { deleteUser, insertUser, listUsers, readUser, type UserRecord, updateUser } from "../records/users.ts";
import type { IdentityHandlerDeps } from "./handler-deps.ts";
import { checkInTenancy, creationOf, etagCheck, isInState, tagsOf } from "./identity-request.ts";
import { viewUser } from "./identity-views.ts";

export function userRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  const { places } = deps;
  return [
    control(
      routes.listUsers,
      () => places.root,
      async ({ query }) => {
        checkInTenancy(deps, query.compartmentId);
        const [isActive, isInactive] = [
          isInState(query.lifecycleState, "ACTIVE"),
          isInState(query.lifecycleState, "INACTIVE"),
        ];
        if (!isActive && !isInactive) return { result: [] };
        const page = readPage(query);
        const isBlocked = isActive === isInactive ? undefined : isInactive;
        const { items, nextPage } = cutPage(await listUsers(deps, { name: query.name, isBlocked, page }), page);
        return { result: items.map((user) => viewUser(user, deps.rootId)), nextPage };
      },
    ),
    control(
      routes.getUser,
      ({ params }) => places.ownUser(params.userId),
      async ({ params }) => {
        const user = await readUser(deps.store.db, idOf("user", params.userId) ?? "");
        if (user === undefined) throw new Problem("not-authorized");
        return shownUser(deps, { record: user, seq: undefined });
      },
    ),
    control(
      routes.createUser,
      () => places.root,
      async (request) => {
        const { compartmentId, name, description, email = "", ...tags } = request.body;
        checkInTenancy(deps, compartmentId);
        const fields = { name, description, email, tags: tagsOf(tags) };
        return shownUser(deps, await insertUser(deps, creationOf(request, routes.createUser), fields));
      },
    ),
    control(
      routes.deleteUser,
      ({ params }) => places.user(params.userId),
      async (request) => {
        const { seq } = await deleteUser(deps, heldBy(request));
        return { seq };
      },
    ),
    ...changingRoutes(deps),
  ];
}

function changingRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  const { places } = deps;
  return [
    control(
      routes.updateUser,
      ({ params }) => places.user(params.userId),
      async (request) => {
        const { description, email, ...tags } = request.body;
        return shownUser(
          deps,
          await updateUser(deps, heldBy(request), (before) => ({
            ...before,
            description: description ?? before.description,
            email: email ?? before.email,
            tags: tagsOf(tags, before.tags),
          })),
        );
      },
    ),
    control(
      routes.updateUserState,
      ({ params }) => places.user(params.userId),
      async (request) => {
        const { blocked } = request.body;
        const changed = await updateUser(deps, heldBy(request), (before) => ({
          ...before,
          isBlocked: blocked ?? before.isBlocked,
        }));
        return shownUser(deps, changed);
      },
    ),
    control(
      routes.updateUserCapabilities,
      ({ params }) => places.user(params.userId),
      async (request) => {
        const { canUseApiKeys, canUseAuthTokens } = request.body;
        const changed = await updateUser(deps, heldBy(request), (before) => ({
          ...before,
          canUseApiKeys: canUseApiKeys ?? before.canUseApiKeys,
          canUseAuthTokens: canUseAuthTokens ?? before.canUseAuthTokens,
        }));
        return shownUser(deps, changed);
      },
    ),
  ];
}

function shownUser({ rootId }: IdentityHandlerDeps, { record, seq }: Committed<UserRecord>) {
  return { result: viewUser(record, rootId), etag: record.etag, seq };
}

function heldBy(request: { readonly params: { readonly userId: string } } & Parameters<typeof etagCheck>[0]) {
  return { id: idOf("user", request.params.userId) ?? "", checkEtag: etagCheck(request) };
}
