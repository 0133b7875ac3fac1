import type { Dialect } from "@chaya/contract";
import { answerProblem, ServerUnreachable } from "./answer-problem.ts";

/** What a generated table says of one route. */
export interface RouteFacts {
  readonly method: string;
  readonly path: string;
  readonly dialect: Dialect;
  readonly query: readonly string[];
  readonly hasBody: boolean;
  readonly isStream: boolean;
  readonly status: number;
}

export interface Connection {
  /** Without a trailing slash; a path in it is kept. */
  readonly url: string;
  readonly fetch: typeof fetch;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface RawRequest {
  readonly method: string;
  /** With its query, beginning with `/`. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: NonNullable<RequestInit["body"]> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sends one request and gives back the answer as it comes, whatever its status. Throws ServerUnreachable. */
export async function sendRaw(connection: Connection, request: RawRequest): Promise<Response> {
  const { body, signal } = request;
  const init: RequestInit = { method: request.method, headers: { ...connection.headers, ...request.headers } };
  // Fetch takes a stream as a body only with the promise not to read the answer before the body has ended.
  if (body !== undefined) Object.assign(init, { body, duplex: "half" });
  if (signal !== undefined) init.signal = signal;
  try {
    return await connection.fetch(connection.url + request.target, { ...init, redirect: "manual" });
  } catch (error) {
    signal?.throwIfAborted();
    throw new ServerUnreachable(connection.url, { cause: error });
  }
}

/** Like `sendRaw`; an answer that says no is thrown. */
export async function sendOrThrow(
  connection: Connection,
  facts: Pick<RouteFacts, "dialect">,
  request: RawRequest,
): Promise<Response> {
  const response = await sendRaw(connection, request);
  if (!response.ok) throw await answerProblem(response, facts.dialect);
  return response;
}

/**
 * Calls a route that answers JSON, or nothing. `input` holds path parameters and query by name, and `body`. OCI's lists
 * come in pages and say in a header that they go on: they are read to their end unless `input` asks for a page.
 */
export async function callRoute(
  connection: Connection,
  facts: RouteFacts,
  call: { readonly input: Readonly<Record<string, unknown>>; readonly signal: AbortSignal | undefined },
): Promise<unknown> {
  const { input, signal } = call;
  const { result, nextPage } = await callOnce(connection, facts, call);
  if (nextPage === null || input.page !== undefined || input.limit !== undefined || !Array.isArray(result))
    return result;
  const items: unknown[] = result;
  for (let page: string | null = nextPage; page !== null; ) {
    const next = await callOnce(connection, facts, { input: { ...input, page }, signal });
    if (Array.isArray(next.result)) items.push(...next.result);
    page = next.nextPage;
  }
  return items;
}

async function callOnce(
  connection: Connection,
  facts: RouteFacts,
  { input, signal }: { readonly input: Readonly<Record<string, unknown>>; readonly signal: AbortSignal | undefined },
): Promise<{ readonly result: unknown; readonly nextPage: string | null }> {
  const request: RawRequest = { method: facts.method, target: requestTarget(facts, input), signal };
  const response = await sendOrThrow(
    connection,
    facts,
    facts.hasBody
      ? { ...request, body: JSON.stringify(input.body ?? {}), headers: { "content-type": "application/json" } }
      : request,
  );
  const text = await response.text();
  return { result: text === "" ? undefined : JSON.parse(text), nextPage: response.headers.get("opc-next-page") };
}

/** The path with its parameters filled in, and the query. */
export function requestTarget(facts: RouteFacts, input: Readonly<Record<string, unknown>>): string {
  const path = facts.path.replaceAll(/\{([^}]+?)(\.\.\.)?\}/g, (_match, name: string, rest: string | undefined) => {
    const value = String(input[name] ?? "");
    return rest === undefined ? pathSegment(value) : value.split("/").map(encodeURIComponent).join("/");
  });
  const query = new URLSearchParams();
  for (const name of facts.query) {
    const value = input[name];
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

/** An empty segment, `.` and `..` would reach another route: URL parsers resolve the dots, encoded or not. */
function pathSegment(value: string): string {
  if (value === "" || value === "." || value === "..") throw new RangeError(`'${value}' cannot be part of a path`);
  return encodeURIComponent(value);
}
