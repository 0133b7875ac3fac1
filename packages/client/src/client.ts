import type { AnyRoute, RouteBodyInput, RouteParameters, RouteQueryInput, RouteResult } from "@chaya/contract";
import type { BundleView, chayaRoutes, LogLineView, LogQuery } from "@chaya/contract/chaya";
import { chayaRoutes as chayaFacts } from "@chaya/contract/chaya/routes";
import type { fnRoutes } from "@chaya/contract/fn";
import { fnRoutes as fnFacts } from "@chaya/contract/fn/routes";
import type { ociIdentityRoutes } from "@chaya/contract/oci/identity";
import { ociIdentityRoutes as identityFacts } from "@chaya/contract/oci/identity/routes";
import { readEvents } from "./event-stream.ts";
import { type Connection, callRoute, type RouteFacts, requestTarget, sendOrThrow, sendRaw } from "./send.ts";

export interface ClientOptions {
  /** Where the server is, as in `http://127.0.0.1:8080`. A path in it is kept. */
  readonly url: string;
  /** The global fetch when absent. */
  readonly fetch?: typeof fetch;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A server's API, typed by its contract. Each method takes an AbortSignal last. */
export interface Client {
  readonly url: string;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  /** The Fn v2 API: applications, functions, triggers. */
  readonly fn: RouteMethods<typeof fnRoutes, typeof fnFacts>;
  /** Chaya's own resources: calls, images, secrets, dead letters. */
  readonly chaya: RouteMethods<typeof chayaRoutes, typeof chayaFacts>;
  /** OCI's Identity API: users, groups, compartments, policies, credentials. Lists are whole unless `limit` or `page` is given. */
  readonly identity: RouteMethods<typeof ociIdentityRoutes, typeof identityFacts>;
  /** Calls a function. The answer comes as it is, whatever its status: `answerProblem` reads one that says no. */
  invoke(request: InvokeRequest, signal?: AbortSignal): Promise<Response>;
  /**
   * Runs the call of an inspection; like `invoke`. A person may step through it for an hour before the answer begins: the
   * `fetch` of Node gives up after five minutes, so give the client one that does not.
   */
  callInspected(request: InspectedCall, signal?: AbortSignal): Promise<Response>;
  /** Where a connection that changes to the protocol `chaya-inspector` leads to the inspector, once it is open. */
  inspectorUrl(inspectionId: string): string;
  /** Stores a code bundle and names the image to put on the function. */
  uploadBundle(request: BundleUpload, signal?: AbortSignal): Promise<BundleView>;
  /** The newest log lines, oldest first. */
  readLogs(query: LogRequest, signal?: AbortSignal): Promise<readonly LogLineView[]>;
  /** Log lines while they are written, until the server ends the stream or the loop is left. Never reconnects. */
  followLogs(query: LogRequest, signal?: AbortSignal): AsyncGenerator<LogLineView, void, undefined>;
  /** The captured input of a call, as the function received it. */
  getCallInput(request: { readonly callId: string }, signal?: AbortSignal): Promise<Response>;
  /** A path of the server that no route of the contract types, such as `/version`; parsed as JSON. */
  getJson(path: string, signal?: AbortSignal): Promise<unknown>;
}

export interface InvokeRequest {
  readonly fnId: string;
  readonly body?: NonNullable<RequestInit["body"]>;
  readonly contentType?: string;
  /** Accepted now, run later: the answer is 202 with the call id, or a problem. */
  readonly isDetached?: boolean;
  /** The same key within 24 h gives back the first call instead of a second one; detached calls only. */
  readonly idempotencyKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface InspectedCall extends Pick<InvokeRequest, "body" | "contentType" | "headers"> {
  readonly inspectionId: string;
}

export interface BundleUpload {
  /** Name of the application the bundle is for. */
  readonly app: string;
  /** Name of the function the bundle is for. */
  readonly fn: string;
  /** A gzipped tar. */
  readonly bytes: Uint8Array;
}

export type LogRequest = Partial<Omit<LogQuery, "follow">>;

/** One method for every route that answers JSON. */
export type RouteMethods<Routes, Facts extends Readonly<Record<keyof Routes, RouteFacts>>> = {
  readonly [Name in keyof Routes as Facts[Name]["isStream"] extends true ? never : Name]: Routes[Name] extends AnyRoute
    ? RouteMethod<RouteRequest<Routes[Name]>, RouteResult<Routes[Name]>>
    : never;
};

type RouteMethod<Request, Result> =
  Record<never, never> extends Request
    ? (request?: Request, signal?: AbortSignal) => Promise<Result>
    : (request: Request, signal?: AbortSignal) => Promise<Result>;

/** Path parameters and query by name, the body as `body`. */
export type RouteRequest<R extends AnyRoute> = RouteParameters<R> &
  OrNothing<RouteQueryInput<R>, RouteQueryInput<R>> &
  OrNothing<RouteBodyInput<R>, { readonly body: RouteBodyInput<R> }>;
type OrNothing<Part, Given> = [Part] extends [undefined] ? unknown : Given;

/**
 * Makes a client. Problems are thrown as `AnsweredProblem` (`isProblem(error, code)` of the contract knows them),
 * other refusals as `UnexpectedAnswer`, a missing server as `ServerUnreachable`.
 *
 * ```js
 * import { createClient } from "@chaya/client";
 *
 * const client = createClient({ url: "http://127.0.0.1:8080" });
 * const app = await client.fn.createApp({ body: { name: "photos" } });
 * const { items } = await client.fn.listApps({ name: "photos" });
 * assert.equal(items[0].id, app.id);
 * ```
 */
export function createClient(options: ClientOptions): Client {
  const connection: Connection = {
    url: options.url.replace(/\/+$/, ""),
    fetch: options.fetch ?? fetch,
    headers: options.headers ?? {},
  };
  return {
    url: connection.url,
    headers: connection.headers,
    // The tables are generated from the declarations that type them; a test regenerates and compares.
    fn: routeMethods(connection, fnFacts) as Client["fn"],
    chaya: routeMethods(connection, chayaFacts) as Client["chaya"],
    identity: routeMethods(connection, identityFacts) as Client["identity"],
    ...streamMethods(connection),
  };
}

function routeMethods(connection: Connection, table: Readonly<Record<string, RouteFacts>>): Record<string, unknown> {
  const methods = Object.entries(table).map(([name, facts]) => [
    name,
    (input: Readonly<Record<string, unknown>> = {}, signal?: AbortSignal) =>
      callRoute(connection, facts, { input, signal }),
  ]);
  return Object.fromEntries(methods);
}

function streamMethods(connection: Connection): Omit<Client, "url" | "headers" | "fn" | "chaya" | "identity"> {
  const get = (facts: RouteFacts, input: Readonly<Record<string, unknown>>, signal: AbortSignal | undefined) =>
    sendOrThrow(connection, facts, { method: facts.method, target: requestTarget(facts, input), signal });
  return {
    invoke: (request, signal) => {
      const target = requestTarget(fnFacts.invokeFn, { fnId: request.fnId });
      return sendRaw(connection, {
        method: "POST",
        target,
        headers: invokeHeaders(request),
        body: request.body,
        signal,
      });
    },
    callInspected: ({ inspectionId, ...request }, signal) => {
      const target = requestTarget(chayaFacts.callInspected, { inspectionId });
      const { method } = chayaFacts.callInspected;
      return sendRaw(connection, { method, target, headers: invokeHeaders(request), body: request.body, signal });
    },
    inspectorUrl: (inspectionId) => connection.url + requestTarget(chayaFacts.connectInspector, { inspectionId }),
    uploadBundle: async ({ bytes, ...query }, signal) => {
      const facts = chayaFacts.createBundle;
      const headers = { "content-type": "application/gzip" };
      const request = { method: facts.method, target: requestTarget(facts, query), headers, body: bytes, signal };
      const response = await sendOrThrow(connection, facts, request);
      // Our own server's answer, declared in the contract.
      return (await response.json()) as BundleView;
    },
    readLogs: async (query, signal) => {
      const response = await get(chayaFacts.readLogs, { ...query }, signal);
      return ((await response.json()) as { readonly items: readonly LogLineView[] }).items;
    },
    followLogs: async function* (query, signal) {
      const response = await get(chayaFacts.readLogs, { ...query, follow: "true" }, signal);
      if (response.body === null) return;
      for await (const event of readEvents(response.body)) {
        if (event.type === "message" || event.type === "line") yield JSON.parse(event.data) as LogLineView;
      }
    },
    getCallInput: (request, signal) => get(chayaFacts.getCallInput, request, signal),
    getJson: async (path, signal) => {
      const response = await sendOrThrow(connection, { dialect: "chaya" }, { method: "GET", target: path, signal });
      return await response.json();
    },
  };
}

function invokeHeaders(request: Omit<InvokeRequest, "fnId">): Record<string, string> {
  const headers: Record<string, string> = { ...request.headers };
  if (request.contentType !== undefined) headers["content-type"] = request.contentType;
  if (request.isDetached === true) headers["fn-invoke-type"] = "detached";
  if (request.idempotencyKey !== undefined) headers["idempotency-key"] = request.idempotencyKey;
  return headers;
}
