import type { z } from "zod";
import type { ProblemCode } from "./problems.ts";
import type { PolicyVerb, ResourceType } from "./resource-types.ts";

export type Dialect = "fn" | "oci" | "gateway" | "chaya";
/**
 * control: JSON through validation · data: bodies stream, any origin · public: health, metrics, description · function:
 * what an instance asks at its own door, never on the main port.
 */
export type Door = "control" | "data" | "public" | "function";
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "ANY";
/** The methods that a route of method ANY answers: those of Fn's router that a client can send to an origin. */
export const anyMethods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"] as const;
type Schema = z.ZodType;
/** Schemas are built on first use: a thunk costs nothing until its route is served. */
export type LazySchema<S extends Schema = Schema> = () => S;

export interface RouteAuth {
  readonly action: PolicyVerb;
  readonly resource: ResourceType;
  /** What policies know as `request.operation`: OCI's name of it where OCI has it. */
  readonly operation: string;
  /** What is needed as well, of a route that concerns two resources. */
  readonly also?: { readonly action: PolicyVerb; readonly resource: ResourceType };
}

export interface RouteDefinition<
  Path extends string,
  Query extends Schema | undefined,
  Body extends Schema | undefined,
  Result extends Schema | undefined,
> {
  readonly method: Method;
  /** `{name}` is one segment; `{name...}` at the end is the rest. */
  readonly path: Path;
  readonly dialect: Dialect;
  readonly door: Door;
  /**
   * Absent where everyone may: on public routes, triggers and logins, and at the function door, where the connection
   * itself says which instance asks.
   */
  readonly auth?: RouteAuth;
  readonly summary: string;
  readonly query?: LazySchema<NonNullable<Query>>;
  readonly body?: LazySchema<NonNullable<Body>>;
  readonly result?: LazySchema<NonNullable<Result>>;
  /** The status of success; 200 when absent. */
  readonly status?: 200 | 202 | 204;
  readonly problems: readonly ProblemCode[];
  /** The body of the request or of the answer is bytes: served by the front, never by the control plane's server. */
  readonly stream?: true;
  /** optional: a signed request may leave its body unsigned, as OCI's SDKs for Node do with what they stream. */
  readonly signedBody?: "optional";
  /** The protocol that the connection changes to when the route is asked for it (RFC 9110 §7.8); such a route streams. */
  readonly upgrade?: string;
}

/** Declares a route once; validator, client, OpenAPI and the reference derive from it. */
export function route<
  const Path extends string,
  Query extends Schema | undefined = undefined,
  Body extends Schema | undefined = undefined,
  Result extends Schema | undefined = undefined,
>(definition: RouteDefinition<Path, Query, Body, Result>): RouteDefinition<Path, Query, Body, Result> {
  return definition;
}

// biome-ignore lint/suspicious/noExplicitAny: a route of any shape; the parameters are recovered by inference.
export type AnyRoute = RouteDefinition<string, any, any, any>;

type ParameterNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? (Name extends `${infer Bare}...` ? Bare : Name) | ParameterNames<Rest>
  : never;

export type RouteParameters<R extends AnyRoute> = { readonly [Name in ParameterNames<R["path"]>]: string };
export type RouteQuery<R extends AnyRoute> = Output<R["query"]>;
export type RouteBody<R extends AnyRoute> = Output<R["body"]>;
export type RouteResult<R extends AnyRoute> = Input<R["result"]>;
/** What a client may send as query: the form before defaults are filled in. */
export type RouteQueryInput<R extends AnyRoute> = Input<R["query"]>;
export type RouteBodyInput<R extends AnyRoute> = Input<R["body"]>;

type Output<S> = NonNullable<S> extends LazySchema<infer T> ? (unknown extends T ? undefined : z.output<T>) : undefined;
type Input<S> = NonNullable<S> extends LazySchema<infer T> ? (unknown extends T ? undefined : z.input<T>) : undefined;

/** Builds a schema on first use and keeps it. */
export function lazy<S extends Schema>(build: () => S): LazySchema<S> {
  let built: S | undefined;
  return () => {
    built ??= build();
    return built;
  };
}
