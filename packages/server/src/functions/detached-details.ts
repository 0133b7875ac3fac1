import type { CallView } from "@chaya/contract/chaya";
import { assert } from "../kernel/assert.ts";
import type { DetachedRequest } from "../seams.ts";
import type { Work } from "../work/work.ts";
import type { ReportedFacts } from "./call/call-report.ts";
import { addedRequestHeaders, headerValue } from "./call/request-headers.ts";
import type { Application, FunctionRecord } from "./model.ts";

/** What a row of work remembers of a detached call beside its body; names as they were when it was accepted. */
export interface DetachedDetails {
  readonly applicationId: string;
  readonly applicationName: string;
  readonly functionName: string;
  readonly image: string;
  readonly memoryMiB: number;
  readonly source: CallView["source"];
  readonly acceptedAtMs: number;
  readonly contentType: string;
  /** Flat, for the function. */
  readonly headers: readonly string[];
  readonly chainDepth: number;
  readonly bodyBytes: number;
}

export function detailsOf(accepted: {
  readonly application: Application;
  readonly function: FunctionRecord;
  readonly request: DetachedRequest;
  readonly bodyBytes: number;
  readonly acceptedAtMs: number;
}): DetachedDetails {
  const { application, function: fn, request, bodyBytes, acceptedAtMs } = accepted;
  const headers = addedRequestHeaders(request.headers);
  const { contentType } = request;
  if (contentType !== undefined && headerValue(headers, "content-type") === undefined)
    headers.push("Content-Type", contentType);
  return {
    applicationId: application.id,
    applicationName: application.name,
    functionName: fn.name,
    image: fn.image,
    memoryMiB: fn.memoryMiB,
    source: request.source,
    acceptedAtMs,
    contentType: contentType ?? "",
    headers,
    chainDepth: request.chainDepth,
    bodyBytes,
  };
}

export function parseDetails(value: unknown): DetachedDetails {
  assert(typeof value === "object" && value !== null && "functionName" in value, "calls are queued with their details");
  // Only `detailsOf` writes rows of this kind, and the store gives back what was written.
  return value as DetachedDetails;
}

/** What the record of a call says while it waits, and when it died waiting. */
export function factsOf(
  work: Pick<Work, "id" | "lane" | "attempt" | "causeId" | "traceId">,
  details: DetachedDetails,
): ReportedFacts {
  const { id, lane, attempt, causeId, traceId } = work;
  const { applicationId, applicationName, functionName, image, memoryMiB, source, acceptedAtMs } = details;
  return {
    application: { id: applicationId, name: applicationName },
    function: { id: lane, name: functionName, image, memoryMiB },
    ...{ id, source, attempt, acceptedAtMs, causeId, traceId },
  };
}
