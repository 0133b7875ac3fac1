// Hot path: ARCHITECTURE, hot-path rules
import type { Dialect } from "@chaya/contract";
import type { CallView } from "@chaya/contract/chaya";
import { sendAnswer } from "../http/answer.ts";
import type { Exchange } from "../http/exchange.ts";
import { assert } from "../kernel/assert.ts";
import type { Clock } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import type { TurnEnd } from "../kernel/turn-end.ts";
import type { MapAnswer } from "./call/answer-headers.ts";
import type { CallBody } from "./call/call-body.ts";
import type { CallChains } from "./call/call-chain.ts";
import { directRequestHeaders } from "./call/request-headers.ts";
import { readTraceId } from "./call/trace-context.ts";
import { type CallRequest, type Calls, timeoutOf } from "./calls.ts";
import { type CorsSettings, decideCors } from "./cors.ts";
import { HttpCaller } from "./http-caller.ts";
import type { Application, Directory, FunctionRecord } from "./model.ts";

/** What the doors of functions share. */
export interface DoorDeps {
  readonly clock: Clock;
  readonly ids: NewId;
  readonly directory: Directory;
  readonly calls: Calls;
  readonly chains: CallChains;
  readonly turnEnd: TurnEnd;
  readonly cors: CorsSettings;
}

export interface DoorCall {
  readonly application: Application;
  readonly function: FunctionRecord;
  readonly source: CallView["source"];
  /** For the function, filtered for this door. */
  readonly headers: readonly string[];
  readonly mapAnswer: MapAnswer;
  readonly addedHeaders: readonly string[];
  /** In which a failure is told; Fn's when absent. */
  readonly dialect?: Dialect | undefined;
  /** Read already, because it was signed. */
  readonly body?: Uint8Array | undefined;
}

/** Answers the preflights and refusals of CORS; otherwise the headers that the answer gets. */
export function passCors(settings: CorsSettings, exchange: Exchange): readonly string[] | undefined {
  const { request, response } = exchange;
  const decision = decideCors(settings, { method: request.method ?? "", origin: request.headers.origin });
  if (decision.kind === "serve") return decision.headers;
  sendAnswer(response, decision.answer);
  return undefined;
}

/** Begins the call of an exchange and returns at once; the call answers when it ends. */
export function beginHttpCall(deps: DoorDeps, exchange: Exchange, door: DoorCall): void {
  const call = httpCall(deps, exchange, door);
  deps.calls.begin(
    call,
    new HttpCaller(exchange, {
      callId: call.id,
      mapAnswer: door.mapAnswer,
      addedHeaders: door.addedHeaders,
      turnEnd: deps.turnEnd,
      dialect: door.dialect,
    }),
  );
}

/** What an exchange asks for. */
export function httpCall(
  deps: Pick<DoorDeps, "chains" | "clock" | "ids">,
  exchange: Exchange,
  door: Pick<DoorCall, "application" | "function" | "source" | "headers" | "body">,
): CallRequest {
  const { request } = exchange;
  const { depth, parentCallId } = deps.chains.read(request.rawHeaders);
  return {
    id: deps.ids(),
    application: door.application,
    function: door.function,
    source: door.source,
    attempt: 1,
    acceptedAtMs: deps.clock.nowMs(),
    timeout: timeoutOf(door.function),
    headers: door.headers,
    body: door.body ?? bodyOf(exchange),
    bodyBytes: door.body?.length ?? Number(request.headers["content-length"] ?? 0),
    contentType: request.headers["content-type"] ?? "",
    chainDepth: depth,
    causeId: parentCallId,
    traceId: readTraceId(request.rawHeaders),
  };
}

/**
 * The headers of a caller as its function gets them. Authorization stays behind when it was ours to judge: credentials of
 * the platform never reach functions.
 */
export function callerHeaders({ request, principal }: Exchange): string[] {
  const headers = directRequestHeaders(request.rawHeaders);
  return principal.kind === "anonymous" ? headers : withoutAuthorization(headers);
}

function withoutAuthorization(headers: readonly string[]): string[] {
  return headers.filter((_, index) => headers[index - (index % 2)]?.toLowerCase() !== "authorization");
}

const emptyBody = new Uint8Array(0);

/** A request without framing headers has no body (RFC 9112 §6.3), and reading nothing is cheaper than asking. */
export function bodyOf({ request, bodySha256 }: Exchange): CallBody {
  assert(bodySha256 === undefined, "a signed body is read whole and compared before anything comes of it");
  const { headers } = request;
  const isEmpty = headers["transfer-encoding"] === undefined && (headers["content-length"] ?? "0") === "0";
  return isEmpty ? emptyBody : request;
}
