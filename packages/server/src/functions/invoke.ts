// Hot path: ARCHITECTURE, hot-path rules
import { Problem } from "@chaya/contract";
import type { Exchange, ServeExchange } from "../http/exchange.ts";
import { directAnswer } from "./call/answer-headers.ts";
import { directRequestHeaders, headerValue } from "./call/request-headers.ts";
import { readTraceId } from "./call/trace-context.ts";
import { beginHttpCall, bodyOf, type DoorDeps, passCors } from "./data-doors.ts";
import type { DetachedCalls } from "./detached.ts";

export interface InvokeDoorDeps extends DoorDeps {
  readonly detached: DetachedCalls;
}

/** `POST /invoke/{fnId}`: calls a function directly, or with `Fn-Invoke-Type: detached` accepts the call for later. */
export function createInvokeDoor(deps: InvokeDoorDeps): ServeExchange {
  return (exchange) => {
    const { request, path } = exchange;
    const method = request.method ?? "";
    const addedHeaders = passCors(deps.cors, exchange);
    if (addedHeaders === undefined) return undefined;
    if (method !== "POST") throw new Problem("method-not-allowed", { method, path });
    const functionId = path.slice("/invoke/".length);
    const fn = deps.directory.function(functionId);
    const application = fn === undefined ? undefined : deps.directory.application(fn.applicationId);
    if (fn === undefined || application === undefined)
      throw new Problem("function-not-found", { function: functionId });
    // The exact lower-case word; anything else is a synchronous call, as in Fn.
    if (headerValue(request.rawHeaders, "fn-invoke-type") === "detached")
      return acceptDetached(deps, exchange, { functionId, addedHeaders });
    return beginHttpCall(deps, exchange, {
      application,
      function: fn,
      source: "direct",
      headers: directRequestHeaders(request.rawHeaders),
      mapAnswer: directAnswer,
      addedHeaders,
    });
  };
}

async function acceptDetached(
  deps: InvokeDoorDeps,
  exchange: Exchange,
  target: { readonly functionId: string; readonly addedHeaders: readonly string[] },
): Promise<void> {
  const { request, response } = exchange;
  const { depth, parentCallId } = deps.chains.read(request.rawHeaders);
  const { callId } = await deps.detached.accept({
    functionId: target.functionId,
    contentType: request.headers["content-type"],
    headers: directRequestHeaders(request.rawHeaders),
    body: bodyOf(exchange),
    bodyBytes: Number(request.headers["content-length"] ?? 0),
    source: "detached",
    causeId: parentCallId,
    traceId: readTraceId(request.rawHeaders),
    chainDepth: depth,
    idempotencyKey: headerValue(request.rawHeaders, "idempotency-key"),
  });
  response.writeHead(202, ["Fn-Call-Id", callId, ...target.addedHeaders, "Content-Length", "0"]);
  response.end();
}
