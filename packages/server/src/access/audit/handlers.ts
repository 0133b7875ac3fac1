import { Problem } from "@chaya/contract";
import { type AuditEventView, chayaRoutes } from "@chaya/contract/chaya";
import type { AuditEventsTable } from "../../drivers/store/tables.ts";
import type { Place } from "../../http/authorize.ts";
import { type ControlRoute, control } from "../../http/control-route.ts";
import { isId } from "../../kernel/ids.ts";
import { type AuditEvents, recordId } from "./audit-events.ts";

export interface AuditHandlerDeps {
  readonly events: AuditEvents;
  readonly root: Place;
}

export function auditRoutes({ events, root }: AuditHandlerDeps): readonly ControlRoute[] {
  const placeOf = (compartmentId: string | null): Place => (compartmentId === null ? root : { compartmentId });
  return [
    control(
      chayaRoutes.listAuditEvents,
      ({ query }) => (query.compartment === undefined ? "anywhere" : placeOf(recordId(query.compartment))),
      async ({ query, may }) => {
        const { cursor, limit, since, until } = query;
        if (cursor !== undefined && !isId(cursor)) throw new Problem("cursor-invalid");
        const page = await events.list(
          {
            principal_id: optionalId(query.principal),
            resource_id: optionalId(query.resource),
            compartment_id: optionalId(query.compartment),
            operation: query.operation,
            outcome: query.outcome,
            sinceMs: since === undefined ? undefined : Date.parse(since),
            untilMs: until === undefined ? undefined : Date.parse(until),
          },
          { afterId: cursor, countMax: limit },
        );
        const seen = page.events.filter((event) => may(placeOf(event.compartment_id)));
        return { result: { items: seen.map(viewEvent), ...(page.next && { nextCursor: page.next }) } };
      },
    ),
  ];
}

function optionalId(text: string | undefined): string | undefined {
  return text === undefined ? undefined : recordId(text);
}

function viewEvent(event: AuditEventsTable): AuditEventView {
  return {
    id: event.id,
    at: new Date(event.at_ms).toISOString(),
    principal: { kind: event.principal_kind, id: event.principal_id, name: event.principal_name },
    operation: event.operation,
    method: event.method,
    path: event.path,
    resourceId: event.resource_id ?? undefined,
    resourceName: event.resource_name ?? undefined,
    compartmentId: event.compartment_id ?? undefined,
    requestId: event.request_id,
    peer: event.peer,
    userAgent: event.user_agent,
    status: event.status ?? undefined,
    problem: event.problem ?? undefined,
    finishedAt: event.finished_at_ms === null ? undefined : new Date(event.finished_at_ms).toISOString(),
  };
}
