import type { IncomingMessage } from "node:http";
import { type AnyRoute, limits, Problem } from "@chaya/contract";
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { assert } from "../../kernel/assert.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Logger } from "../../kernel/logger.ts";
import { type Answer, noBody, sendAnswer } from "../answer.ts";
import type { Audit } from "../audit.ts";
import { audited } from "../audited.ts";
import { type Authorize, mayAt } from "../authorize.ts";
import type { ControlAnswer, ControlRoute } from "../control-route.ts";
import type { Exchange, ServedRoute } from "../exchange.ts";
import { failExchange } from "../fail-exchange.ts";
import { goJson } from "../go-json.ts";
import { opcRequestId } from "../opc-headers.ts";
import { checkBody } from "../signed-body.ts";
import { readRequest } from "./read-request.ts";

export interface ControlServerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Resolves when this node shows every change up to `seq`; rejects with the signal's reason. */
  readonly reached: (seq: number, signal: AbortSignal) => Promise<void>;
  readonly authorize: Authorize;
  readonly audit: Audit;
}

export interface ControlServer extends AsyncDisposable {
  /** The control routes, for the front's doors. */
  readonly served: readonly ServedRoute[];
}

interface Entered {
  readonly exchange: Exchange;
  readonly route: AnyRoute;
}

/** The control plane: JSON of at most 1 MiB through Fastify, for exchanges that the front's doors have let in. */
export async function createControlServer(
  deps: ControlServerDeps,
  routes: readonly ControlRoute[],
): Promise<ControlServer> {
  const entered = new WeakMap<IncomingMessage, Entered>();
  const app = createApp(deps, entered);
  for (const controlRoute of routes) {
    const { route } = controlRoute;
    app.route({
      method: route.method === "ANY" ? ["GET", "POST", "PUT", "PATCH", "DELETE"] : route.method,
      url: route.path,
      handler: async (request, reply) => {
        reply.hijack();
        const { exchange } = enteredOf(entered, request);
        try {
          await answer(deps, controlRoute, { exchange, body: request.body });
        } catch (error) {
          failExchange({ ...deps, limits }, { exchange, route }, error);
        }
      },
    });
  }
  await app.ready();
  const served = routes.map(
    ({ route }): ServedRoute => ({
      route,
      serve: (exchange) => {
        const { request, response } = exchange;
        entered.set(request, { exchange, route });
        // The doors decided who answers: Fastify is told the declared path, so a second router cannot decide otherwise.
        request.url = route.path;
        // These bodies are JSON whatever the client calls them; Fastify would refuse types it cannot parse.
        delete request.headers["content-type"];
        app.routing(request, response);
      },
    }),
  );
  return { served, [Symbol.asyncDispose]: () => app.close() };
}

function createApp(deps: ControlServerDeps, entered: WeakMap<IncomingMessage, Entered>): FastifyInstance {
  const app = Fastify({
    bodyLimit: limits.controlBodyBytesMax,
    exposeHeadRoutes: false,
    // The contract's schemas decide (`readRequest`). Fastify's own would be loaded otherwise, and take two megabytes.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    genReqId: (request) => entered.get(request)?.exchange.requestId ?? "",
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, request, reply) => {
    reply.hijack();
    failExchange({ ...deps, limits }, enteredOf(entered, request), fastifyProblem(error));
  });
  app.setNotFoundHandler((request) => {
    throw new Error(`the control server has no ${request.method} ${request.url} although it declared it`);
  });
  return app;
}

function noSchemas(): never {
  throw new Error("no route of the control server has a schema of Fastify's");
}

function enteredOf(entered: WeakMap<IncomingMessage, Entered>, request: FastifyRequest): Entered {
  const known = entered.get(request.raw);
  assert(known !== undefined, "only what the doors let in gets here");
  return known;
}

async function answer(
  deps: ControlServerDeps,
  { route, locate, handle }: ControlRoute,
  came: { exchange: Exchange; body: unknown },
): Promise<void> {
  const { request, response, path, query, requestId, principal } = came.exchange;
  const body = Buffer.isBuffer(came.body) ? came.body : noBody;
  // Nobody reads a body that comes with GET.
  if (request.method !== "GET") checkBody(came.exchange, body);
  const parsed = readRequest(route, { method: request.method ?? "", path, query, body });
  const gone = new AbortController();
  response.once("close", () => gone.abort(new Problem("client-gone")));
  await catchUp(deps, request, gone.signal);
  const may = mayAt(deps.authorize, principal, route.auth);
  // The types of the three were lost with the route's own; its schemas have just made them.
  const asked = { ...(parsed as { params: never; query: never; body: never }), principal };
  const place = await locate(asked);
  const given = await audited(deps.audit, { route, exchange: came.exchange, place }, async () => {
    if (!may(place)) throw new Problem("not-authorized");
    const whole = { ...asked, may, headers: request.headers, requestId, signal: gone.signal };
    const done = await handle(whole);
    return { status: route.status ?? 200, result: done, shown: done.result };
  });
  if (!response.destroyed) sendAnswer(response, successAnswer(route, given, came.exchange));
}

/** Read-your-writes over several nodes: a client passes on the `Chaya-Seq` of the last change it made. */
async function catchUp(deps: ControlServerDeps, request: IncomingMessage, gone: AbortSignal): Promise<void> {
  const header = request.headers["chaya-seq"];
  if (header === undefined) return;
  const seq = Number(header);
  if (!Number.isSafeInteger(seq) || seq < 0)
    throw new Problem("request-invalid", { where: "header Chaya-Seq", reason: "it is not a number this server gave" });
  const late = deps.clock.timeout(limits.seqWaitMs);
  try {
    await deps.reached(seq, AbortSignal.any([gone, late]));
  } catch (error) {
    if (!late.aborted) throw error;
    const reason = `this node has not seen change ${seq} within ${limits.seqWaitMs / 1000} s`;
    throw new Problem("store-unavailable", { reason }, { cause: error, retryAfterMs: limits.seqWaitMs });
  }
}

function successAnswer(route: AnyRoute, given: ControlAnswer<AnyRoute>, exchange: Exchange): Answer {
  const { result, seq } = given;
  const { status = 200, dialect } = route;
  const headers = seq === undefined ? [] : ["Chaya-Seq", String(seq)];
  if (dialect === "oci") headers.push(...ociHeaders(given, exchange));
  const isFn = dialect === "fn";
  if (status === 204 || (status === 202 && result === undefined)) {
    // Fn's server names a type for the body that is not there, and its clients may look at it.
    return {
      status,
      headers: isFn ? ["Content-Type", "text/plain; charset=utf-8", ...headers] : headers,
      body: noBody,
    };
  }
  assert(result !== undefined, `${route.path} answers ${status} with a result`);
  return {
    status,
    headers: ["Content-Type", dialect === "oci" ? "application/json" : "application/json; charset=utf-8", ...headers],
    body: Buffer.from(isFn ? goJson(result) : JSON.stringify(result)),
  };
}

function ociHeaders({ etag, nextPage }: ControlAnswer<AnyRoute>, { request, requestId }: Exchange): string[] {
  const headers = ["opc-request-id", opcRequestId(request.headers, requestId)];
  if (etag !== undefined) headers.push("etag", etag);
  if (nextPage !== undefined) headers.push("opc-next-page", nextPage);
  return headers;
}

/** What Fastify finds wrong with a body, in our words; anything else is a bug. */
function fastifyProblem(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new Problem("body-too-large", { bytesMax: limits.controlBodyBytesMax }, { cause: error });
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
    case "ECONNRESET":
      return new Problem("client-gone", {}, { cause: error });
    default:
      return error;
  }
}
