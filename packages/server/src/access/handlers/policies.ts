import { Problem } from "@chaya/contract";
import { idOf } from "@chaya/contract/oci";
import { ociIdentityRoutes as routes } from "@chaya/contract/oci/identity";
import { type ControlRoute, control } from "../../http/control-route.ts";
import { parsePolicy } from "../policies/parse-statement.ts";
import { requireReach } from "../policies/reach.ts";
import { cutPage, readPage } from "../records/identity-page.ts";
import { deletePolicy, insertPolicy, listPolicies, readPolicy, updatePolicy } from "../records/policies.ts";
import type { IdentityHandlerDeps } from "./handler-deps.ts";
import { compartmentIdOf, creationOf, etagCheck, isInState, tagsOf } from "./identity-request.ts";
import { viewPolicy } from "./identity-views.ts";

export function policyRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  return [...readingRoutes(deps), ...changingRoutes(deps)];
}

function readingRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  const { places, rootId } = deps;
  return [
    control(
      routes.listPolicies,
      ({ query }) => places.compartment(compartmentIdOf(query.compartmentId)),
      async ({ query }) => {
        const compartmentId = compartmentIdOf(query.compartmentId);
        if (deps.directory.compartment(compartmentId) === undefined) throw new Problem("not-authorized");
        if (!isInState(query.lifecycleState, "ACTIVE")) return { result: [] };
        const page = readPage(query);
        const { items, nextPage } = cutPage(await listPolicies(deps, { compartmentId, name: query.name, page }), page);
        return { result: items.map((policy) => viewPolicy(policy, rootId)), nextPage };
      },
    ),
    control(
      routes.getPolicy,
      ({ params }) => places.policy(params.policyId),
      async ({ params }) => {
        const policy = await readPolicy(deps.store.db, idOf("policy", params.policyId) ?? "");
        if (policy === undefined) throw new Problem("not-authorized");
        return { result: viewPolicy(policy, rootId), etag: policy.etag };
      },
    ),
  ];
}

function changingRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  const { places, rootId } = deps;
  return [
    control(
      routes.createPolicy,
      ({ body }) => places.compartment(compartmentIdOf(body.compartmentId)),
      async (request) => {
        const { name, description, statements, versionDate, ...rest } = request.body;
        const { compartmentId, ...tags } = rest;
        const lies = compartmentIdOf(compartmentId);
        requireReach(deps.directory, { compartmentId: lies, statements: parsePolicy(statements) });
        const { record, seq } = await insertPolicy(deps, creationOf(request, routes.createPolicy), {
          ...{ name, description, statements, tags: tagsOf(tags) },
          compartmentId: lies,
          versionDate: dayOf(versionDate),
        });
        return { result: viewPolicy(record, rootId), etag: record.etag, seq };
      },
    ),
    control(
      routes.updatePolicy,
      ({ params }) => places.policy(params.policyId),
      async (request) => {
        const { description, statements, versionDate, ...tags } = request.body;
        const { compartmentId = rootId } = deps.directory.policy(idOf("policy", request.params.policyId) ?? "") ?? {};
        if (statements !== undefined)
          requireReach(deps.directory, { compartmentId, statements: parsePolicy(statements) });
        const { record, seq } = await updatePolicy(deps, heldBy(request), (before) => ({
          ...before,
          description: description ?? before.description,
          statements: statements ?? before.statements,
          versionDate: versionDate === undefined ? before.versionDate : dayOf(versionDate),
          tags: tagsOf(tags, before.tags),
        }));
        return { result: viewPolicy(record, rootId), etag: record.etag, seq };
      },
    ),
    control(
      routes.deletePolicy,
      ({ params }) => places.policy(params.policyId),
      async (request) => {
        const { seq } = await deletePolicy(deps, heldBy(request));
        return { seq };
      },
    ),
  ];
}

/** Some SDKs send a whole time; only its day counts. */
function dayOf(versionDate: string | undefined): string | undefined {
  return versionDate ? versionDate.slice(0, "2026-11-24".length) : undefined;
}

function heldBy(request: { readonly params: { readonly policyId: string } } & Parameters<typeof etagCheck>[0]) {
  return { id: idOf("policy", request.params.policyId) ?? "", checkEtag: etagCheck(request) };
}
