import { Problem } from "@chaya/contract";
import { ociIdentityRoutes as routes } from "@chaya/contract/oci/identity";
import type { Place } from "../../http/authorize.ts";
import { type ControlRoute, control } from "../../http/control-route.ts";
import type { Compartment } from "../model.ts";
import type { Committed } from "../records/commit.ts";
import {
  type CompartmentRecord,
  deleteCompartment,
  insertCompartment,
  listCompartments,
  readCompartment,
  updateCompartment,
} from "../records/compartments.ts";
import { cutPage, readPage } from "../records/identity-page.ts";
import type { IdentityHandlerDeps } from "./handler-deps.ts";
import { compartmentIdOf, creationOf, etagCheck, isInState, tagsOf } from "./identity-request.ts";
import { viewCompartment } from "./identity-views.ts";

export function compartmentRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  return [...readingRoutes(deps), ...changingRoutes(deps)];
}

function readingRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  const { places, rootId, directory } = deps;
  return [
    control(
      routes.listCompartments,
      ({ query }) =>
        query.accessLevel === "ACCESSIBLE" ? "anywhere" : places.compartment(compartmentIdOf(query.compartmentId)),
      async ({ query, may }) => {
        const id = compartmentIdOf(query.compartmentId);
        if (directory.compartment(id) === undefined) throw new Problem("not-authorized");
        const isWhole = query.compartmentIdInSubtree === "true";
        if (isWhole && id !== rootId)
          throw new Problem("request-invalid", {
            where: "query compartmentIdInSubtree",
            reason: "it can only be true for the root compartment",
          });
        if (!isInState(query.lifecycleState, "ACTIVE")) return { result: [] };
        const page = readPage(query);
        const filter = { parentId: isWhole ? undefined : id, name: query.name, page };
        const { items, nextPage } = cutPage(await listCompartments(deps, filter), page);
        const accessible = accessibleIds(deps, may);
        const seen = items.filter((item) => query.accessLevel === "ANY" || accessible.has(item.id));
        const result = seen.map((item) => viewCompartment(item, { rootId, isAccessible: accessible.has(item.id) }));
        return { result, nextPage };
      },
    ),
    control(
      routes.getCompartment,
      ({ params }) => places.compartment(compartmentIdOf(params.compartmentId)),
      async ({ params }) => {
        const id = compartmentIdOf(params.compartmentId);
        // The root compartment is no row.
        const found: Compartment | undefined =
          id === rootId ? directory.compartment(id) : await readCompartment(deps.store.db, id);
        if (found === undefined) throw new Problem("not-authorized");
        return { result: viewCompartment(found, { rootId, isAccessible: true }), etag: found.etag };
      },
    ),
  ];
}

function changingRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  const { places } = deps;
  const shown = ({ record, seq }: Committed<CompartmentRecord>) => ({
    result: viewCompartment(record, { rootId: deps.rootId, isAccessible: true }),
    etag: record.etag,
    seq,
  });
  return [
    control(
      routes.createCompartment,
      ({ body }) => places.compartment(compartmentIdOf(body.compartmentId)),
      async (request) => {
        const { compartmentId, name, description, ...tags } = request.body;
        const fields = { parentId: compartmentIdOf(compartmentId), name, description, tags: tagsOf(tags) };
        return shown(await insertCompartment(deps, creationOf(request, routes.createCompartment), fields));
      },
    ),
    control(
      routes.updateCompartment,
      ({ params }) => places.parentOf(compartmentIdOf(params.compartmentId)),
      async (request) => {
        const { name, description, ...tags } = request.body;
        const held = heldBy(deps, request);
        return shown(
          await updateCompartment(deps, held, (before) => ({
            ...before,
            name: name ?? before.name,
            description: description ?? before.description,
            tags: tagsOf(tags, before.tags),
          })),
        );
      },
    ),
    control(
      routes.deleteCompartment,
      ({ params }) => places.parentOf(compartmentIdOf(params.compartmentId)),
      async (request) => {
        const { seq } = await deleteCompartment(deps, heldBy(deps, request));
        return { seq };
      },
    ),
    control(
      routes.moveCompartment,
      ({ params }) => places.parentOf(compartmentIdOf(params.compartmentId)),
      async (request) => {
        const held = heldBy(deps, request);
        const parentId = compartmentIdOf(request.body.targetCompartmentId);
        // Who moves something puts it into another place, and needs the right there as well.
        if (!request.may(places.compartment(parentId))) throw new Problem("not-authorized");
        const { seq } = await updateCompartment(deps, held, (before) => ({ ...before, parentId }));
        return { seq };
      },
    ),
  ];
}

function heldBy(
  { rootId }: IdentityHandlerDeps,
  request: { readonly params: { readonly compartmentId: string } } & Parameters<typeof etagCheck>[0],
) {
  const id = compartmentIdOf(request.params.compartmentId);
  if (id === rootId) throw new Problem("identity-built-in", { what: "The root compartment" });
  return { id, checkEtag: etagCheck(request) };
}

/** What may be inspected, and what something lies in that may be. */
function accessibleIds({ directory }: IdentityHandlerDeps, may: (place: Place) => boolean): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const { id } of directory.compartments())
    if (may({ compartmentId: id })) for (const above of directory.lineage(id)) ids.add(above);
  return ids;
}
