// Hot path: ARCHITECTURE, hot-path rules
import { limits, Problem } from "@chaya/contract";
import { fnRoutes } from "@chaya/contract/fn";
import type { Authorize } from "../http/authorize.ts";
import type { Exchange, ServeExchange } from "../http/exchange.ts";
import { readSignedBody } from "../http/signed-body.ts";
import { assert } from "../kernel/assert.ts";
import type { Places } from "../seams.ts";
import { directAnswer } from "./call/answer-headers.ts";
import { headerValue } from "./call/request-headers.ts";
import { readTraceId } from "./call/trace-context.ts";
import { beginHttpCall, bodyOf, callerHeaders, type DoorCall, type DoorDeps, passCors } from "./data-doors.ts";
import type { DetachedCalls } from "./detached.ts";

export interface InvokeDoorDeps extends DoorDeps {
  readonly detached: DetachedCalls;
  readonly authorize: Authorize;
  readonly places: Pick<Places, "function">;
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
    // Whoever came in without credentials was let in by the front, to what is open to everyone.
    if (exchange.principal.kind !== "anonymous") checkMayInvoke(deps, exchange, functionId);
    const target = { ...invokedFunction(deps, functionId), addedHeaders, mapAnswer: directAnswer };
    return exchange.bodySha256 === undefined ? invoke(deps, exchange, target) : invokeSigned(deps, exchange, target);
  };
}

/** What is called, and how its caller is answered. */
export type InvokeTarget = Omit<DoorCall, "source" | "headers">;

/** Throws `function-not-found`. */
export function invokedFunction(
  deps: InvokeDoorDeps,
  functionId: string,
): Pick<InvokeTarget, "application" | "function"> {
  const fn = deps.directory.function(functionId);
  const application = fn === undefined ? undefined : deps.directory.application(fn.applicationId);
  if (fn === undefined || application === undefined) throw new Problem("function-not-found", { function: functionId });
  return { application, function: fn };
}

/** Throws `not-authorized`. */
export function checkMayInvoke(
  { authorize, places }: InvokeDoorDeps,
  { principal }: Exchange,
  functionId: string,
): void {
  const { auth } = fnRoutes.invokeFn;
  assert(auth !== undefined, "to invoke a function needs a right");
  if (!authorize(principal, auth, places.function(functionId))) throw new Problem("not-authorized");
}

async function invokeSigned(deps: InvokeDoorDeps, exchange: Exchange, target: InvokeTarget): Promise<void> {
  const body = await readSignedBody(exchange, limits.signedBodyBytesMax);
  await invoke(deps, exchange, { ...target, body });
}

/** Begins the call and returns at once, or with `Fn-Invoke-Type: detached` when it has been accepted. */
export function invoke(deps: InvokeDoorDeps, exchange: Exchange, target: InvokeTarget): void | Promise<void> {
  // The exact lower-case word; anything else is a synchronous call, as in Fn.
  if (headerValue(exchange.request.rawHeaders, "fn-invoke-type") === "detached")
    return acceptDetached(deps, exchange, target);
  return beginHttpCall(deps, exchange, {
    ...target,
    source: "direct",
    headers: callerHeaders(exchange),
  });
}

async function acceptDetached(deps: InvokeDoorDeps, exchange: Exchange, target: InvokeTarget): Promise<void> {
  const { request, response } = exchange;
  const { depth, parentCallId } = deps.chains.read(request.rawHeaders);
  const { callId } = await deps.detached.accept({
    functionId: target.function.id,
    contentType: request.headers["content-type"],
    headers: callerHeaders(exchange),
    body: target.body ?? bodyOf(exchange),
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
