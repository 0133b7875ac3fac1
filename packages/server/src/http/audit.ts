import type { AnyRoute, Problem } from "@chaya/contract";
import type { Place } from "./authorize.ts";
import type { Exchange } from "./exchange.ts";

/** What is recorded of a request that changes something, before it is carried out. */
export interface AuditedRequest {
  readonly exchange: Pick<Exchange, "principal" | "path" | "requestId" | "peer" | "request">;
  readonly operation: string;
  readonly place: Place | "anywhere";
  /** From the path. */
  readonly resourceId: string | undefined;
}

export interface AuditOutcome {
  /** HTTP status. */
  readonly status: number;
  /** Undefined when it was done. */
  readonly problem: Problem["code"] | undefined;
  /** What was made, when its id stood nowhere before. */
  readonly resource: { readonly id: string | undefined; readonly name: string | undefined };
}

/** Keeps what principals change. Secret values never reach it: it sees neither bodies nor headers that authenticate. */
export interface Audit {
  /** Resolves when the record is on disk: whatever comes of the request, it stays. Rejects when nothing can be kept. */
  begin(request: AuditedRequest): Promise<AuditRecord>;
}

export interface AuditRecord {
  /** Never rejects: the change has been made, and the record of its beginning says so. */
  end(outcome: AuditOutcome): Promise<void>;
}

/** Where nothing is recorded. */
export const noAudit: Audit = { begin: async () => ({ end: async () => {} }) };

/** Whether a request of this route is recorded. */
export function isAudited(route: AnyRoute): boolean {
  return route.door === "control" && route.method !== "GET";
}
