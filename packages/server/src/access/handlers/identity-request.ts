import { type AnyRoute, Problem, type RouteAuth } from "@chaya/contract";
import { idOf } from "@chaya/contract/oci";
import type { ControlRequest } from "../../http/control-route.ts";
import { checkIfMatch, opcRetryToken } from "../../http/opc-headers.ts";
import type { Tags } from "../model.ts";
import { noTags } from "../records/resource-columns.ts";
import type { Creation } from "../records/retry-tokens.ts";
import type { IdentityHandlerDeps } from "./handler-deps.ts";

type Sent = Pick<ControlRequest<AnyRoute>, "headers" | "principal">;

/** Who makes something by this request, and under which retry token. Throws `request-invalid`. */
export function creationOf({ headers, principal }: Sent, { auth }: { readonly auth?: RouteAuth }): Creation {
  return { createdBy: principal.id, operation: auth?.operation ?? "", retryToken: opcRetryToken(headers) };
}

/** Checks `if-match` where the record can change no more. */
export function etagCheck({ headers }: Pick<Sent, "headers">): (etag: string) => void {
  return (etag) => checkIfMatch(headers, etag);
}

/** The root compartment and the tenancy are the same: either is understood for either. Empty for what names neither. */
export function compartmentIdOf(text: string): string {
  return idOf("compartment", text) ?? idOf("tenancy", text) ?? "";
}

/** Users and groups lie in the tenancy itself. Throws `request-invalid`. */
export function checkInTenancy({ rootId }: IdentityHandlerDeps, compartmentId: string): void {
  if (compartmentIdOf(compartmentId) === rootId) return;
  throw new Problem("request-invalid", {
    where: "compartmentId",
    reason: "users and groups lie in the tenancy itself",
  });
}

interface TagsGiven {
  readonly freeformTags?: Tags["freeform"] | undefined;
  readonly definedTags?: Tags["defined"] | undefined;
}

/** What is given replaces what there was, each kind by itself. */
export function tagsOf({ freeformTags, definedTags }: TagsGiven, before: Tags = noTags): Tags {
  return { freeform: freeformTags ?? before.freeform, defined: definedTags ?? before.defined };
}

/** Whether a filter by state lets through what is in this one; states are compared in any case. */
export function isInState(filter: string | undefined, state: "ACTIVE" | "INACTIVE"): boolean {
  return filter === undefined || filter.toUpperCase() === state;
}
