import type { IncomingMessage } from "node:http";
import type { AnyRoute } from "@chaya/contract";
import type { Logger } from "../kernel/logger.ts";
import { sendAnswer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { opcRequestId } from "./opc-headers.ts";
import { asProblem, problemAnswer } from "./problem-response.ts";

export interface FailDeps {
  readonly logger: Logger;
  readonly limits: { readonly refusedBodyBytesMax: number };
}

/** What a failure needs to know of the route: its own dialect, and whether it answers calls. */
export type FailedRoute = Pick<AnyRoute, "dialect" | "door" | "path">;

/**
 * Answers what was thrown while `route` was served, in its dialect. When an answer has begun, the connection is
 * destroyed instead: half an answer never ends cleanly.
 */
export function failExchange(deps: FailDeps, failed: { exchange: Exchange; route: FailedRoute }, error: unknown): void {
  const { exchange, route } = failed;
  const { request, response, requestId } = exchange;
  const problem = asProblem(error, { requestId, method: request.method ?? "", route: route.path }, deps.logger);
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) if (!ownHeaders.has(name)) response.removeHeader(name);
  const call = route.door === "data" ? {} : undefined;
  const opcId = route.dialect === "oci" ? opcRequestId(request.headers, requestId) : undefined;
  sendAnswer(response, problemAnswer(problem, route.dialect, { requestId, opcRequestId: opcId, call }));
  discardBody(request, deps.limits.refusedBodyBytesMax);
}

/** What the front says about the connection and the path stays; what a handler had begun to say goes. */
const ownHeaders: ReadonlySet<string> = new Set(["connection", "allow"]);

/**
 * Reads on after an answer that did not wait for the body, so that the client gets to the answer: a connection closed
 * with unread bytes is reset, and a reset overtakes what was sent. Beyond `bytesMax` the connection is destroyed.
 */
export function discardBody(request: IncomingMessage, bytesMax: number): void {
  if (request.complete || request.destroyed) return;
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bytesMax) request.destroy();
  });
  request.resume();
}
