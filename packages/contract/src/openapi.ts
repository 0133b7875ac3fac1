import { z } from "zod";
import { chayaRoutes } from "./chaya/routes.ts";
import { fnRoutes } from "./fn/routes.ts";
import { ociFunctionsRoutes } from "./oci/functions/routes.ts";
import { ociIdentityRoutes } from "./oci/identity/routes.ts";
import { ociKinds } from "./oci/oci-problem.ts";
import { problemStatus } from "./problem-status.ts";
import type { ProblemEntry } from "./problems/problem-entry.ts";
import { type ProblemCode, problems } from "./problems.ts";
import { publicRoutes } from "./public-routes.ts";
import { type AnyRoute, anyMethods, type Dialect, type LazySchema, type RouteAuth } from "./route.ts";

type Json = string | number | boolean | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** Every declared route by its name; the names are unique over all dialects. */
export const allRoutes: Readonly<Record<string, AnyRoute>> = {
  ...publicRoutes,
  ...fnRoutes,
  ...chayaRoutes,
  ...ociFunctionsRoutes,
  ...ociIdentityRoutes,
};

/** The API of the server as an OpenAPI 3.1 document, derived from the declared routes. */
export function openApiDocument(version: string): JsonObject {
  const components = new Components();
  const paths: Record<string, Record<string, Json>> = {};
  for (const [name, route] of Object.entries(allRoutes)) {
    const path = route.path.replace("...}", "}");
    paths[path] ??= {};
    for (const method of route.method === "ANY" ? anyMethods : [route.method]) {
      const operationId = route.method === "ANY" ? `${name}${capitalised(method)}` : name;
      paths[path][method.toLowerCase()] = { operationId, ...operation(route, method, components) };
    }
  }
  return {
    openapi: "3.1.0",
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    info: { title: "Chaya", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    paths,
    components: { schemas: { ...components.schemas(), ...errorSchemas } },
  };
}

/** The names of the members of an object schema, in the order they were declared. */
export function memberNames(schema: LazySchema | undefined, io: "input" | "output"): readonly string[] {
  if (schema === undefined) return [];
  const { $ref, $defs, properties } = z.toJSONSchema(schema(), { io });
  const named = $ref === undefined ? properties : $defs?.[$ref.slice("#/$defs/".length)]?.properties;
  return Object.keys(named ?? {});
}

const errorSchemas: JsonObject = {
  FnError: {
    type: "object",
    description: "Fn's shape; failed calls carry the members beside `message`.",
    required: ["message"],
    properties: {
      message: { type: "string" },
      code: { type: "string" },
      detail: { type: "string" },
      hint: { type: "string" },
      callId: { type: "string" },
    },
  },
  OciError: {
    type: "object",
    description: "OCI's shape; failed calls carry the members beside `code` and `message`.",
    required: ["code", "message"],
    properties: {
      code: { type: "string" },
      message: { type: "string" },
      detail: { type: "string" },
      hint: { type: "string" },
      callId: { type: "string" },
    },
  },
  Problem: {
    type: "object",
    description: "RFC 9457, with the fields of the problem beside the standard members.",
    required: ["type", "title", "status", "detail", "code", "hint", "requestId"],
    properties: {
      type: { type: "string", format: "uri" },
      title: { type: "string" },
      status: { type: "integer" },
      detail: { type: "string" },
      code: { type: "string", enum: Object.keys(problems) },
      hint: { type: "string" },
      requestId: { type: "string" },
    },
  },
};

const functionDoor: JsonObject = {
  url: "http://127.0.0.1:{port}",
  description: "The function door: OCI_LOCAL_ENDPOINT in the environment of an instance.",
  variables: { port: { default: "0", description: "Of the instance that asks." } },
};

function operation(route: AnyRoute, method: string, components: Components): JsonObject {
  const body = requestBody(route, method, components);
  return {
    summary: route.summary,
    tags: [route.dialect],
    parameters: [...pathParameters(route), ...queryParameters(route, components)],
    ...(body === undefined ? {} : { requestBody: body }),
    responses: { ...success(route, components), ...failures(route) },
    ...(route.door === "function" ? { servers: [functionDoor] } : {}),
    ...(route.auth === undefined ? {} : { "x-chaya-auth": neededFor(route.auth) }),
  };
}

function neededFor({ action, resource, also }: RouteAuth): JsonObject {
  return { action, resource, ...(also === undefined ? {} : { also: { ...also } }) };
}

function pathParameters(route: AnyRoute): JsonObject[] {
  return [...route.path.matchAll(/\{([A-Za-z]+)(\.\.\.)?\}/g)].map(([, name = "", rest]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
    ...(rest === undefined ? {} : { description: "The rest of the path, slashes included.", "x-chaya-rest": true }),
  }));
}

function queryParameters(route: AnyRoute, components: Components): JsonObject[] {
  if (route.query === undefined) return [];
  const schema = components.inline(route.query, "input");
  const required = Array.isArray(schema.required) ? schema.required : [];
  // A query schema is an object by construction: its properties are schemas by name.
  const properties = (schema.properties ?? {}) as JsonObject;
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema: property,
  }));
}

function requestBody(route: AnyRoute, method: string, components: Components): JsonObject | undefined {
  if (route.body !== undefined) {
    return { required: true, content: { "application/json": { schema: components.inline(route.body, "input") } } };
  }
  const takesBytes = route.stream === true && ["POST", "PUT", "PATCH"].includes(method);
  return takesBytes ? { content: { "*/*": { schema: {} } } } : undefined;
}

function success(route: AnyRoute, components: Components): JsonObject {
  const status = route.status ?? 200;
  if (route.upgrade !== undefined) return { 101: { description: `The connection speaks ${route.upgrade}.` } };
  if (status === 204) return { 204: { description: "Done." } };
  if (route.problems.includes("route-gone")) return {};
  const content =
    route.result === undefined
      ? { "*/*": { schema: {} } }
      : { "application/json": { schema: components.inline(route.result, "output") } };
  return { [status]: { description: "Done.", content } };
}

function failures(route: AnyRoute): JsonObject {
  const codesByStatus = new Map<number, ProblemCode[]>();
  for (const code of route.problems) {
    const status = statusIn(route.dialect, problems[code]);
    codesByStatus.set(status, [...(codesByStatus.get(status) ?? []), code]);
  }
  const { name, type } = errorsOf[route.dialect];
  const content = { [type]: { schema: { $ref: `#/components/schemas/${name}` } } };
  const entries = [...codesByStatus].map(([status, codes]): [string, Json] => [
    String(status),
    { description: codes.join(", "), ...(codes.includes("route-gone") ? {} : { content }) },
  ]);
  return Object.fromEntries(entries);
}

function statusIn(dialect: Dialect, { kind, oci }: ProblemEntry<never>): number {
  return dialect === "oci" ? (oci?.status ?? ociKinds[kind].status) : problemStatus[kind];
}

const ownErrors = { name: "Problem", type: "application/problem+json" };

const errorsOf: Readonly<Record<Dialect, { readonly name: string; readonly type: string }>> = {
  fn: { name: "FnError", type: "application/json" },
  oci: { name: "OciError", type: "application/json" },
  gateway: ownErrors,
  chaya: ownErrors,
};

/** Named schemas, lifted out of each conversion into one table. */
class Components {
  readonly #schemas = new Map<string, Json>();

  /** The schema with references to the shared table; the named schemas it uses are added to that table. */
  inline(schema: LazySchema, io: "input" | "output"): JsonObject {
    const converted = z.toJSONSchema(schema(), {
      target: "draft-2020-12",
      io,
      override: ({ jsonSchema }) => {
        // zod prints a pattern of 200 characters beside the format, and closes results that may grow.
        if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
        if (io === "output" && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      },
    });
    const text = JSON.stringify(converted).replaceAll(/"#\/\$defs\/([^"]+)"/g, (_, name: string) =>
      JSON.stringify(`#/components/schemas/${componentName(name)}`),
    );
    // The text is that of a JSON object a line above.
    const { $schema: _dialect, $defs: named = {}, ...rest } = JSON.parse(text) as Record<string, JsonObject>;
    for (const [name, definition] of Object.entries(named)) this.#add(componentName(name), definition);
    return rest;
  }

  schemas(): JsonObject {
    return Object.fromEntries([...this.#schemas].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  #add(name: string, definition: Json): void {
    const known = this.#schemas.get(name);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(definition))
      throw new Error(`two schemas are named ${name}: give one of them another id`);
    this.#schemas.set(name, definition);
  }
}

/** zod calls a recursive schema without an id `__schema0`; the contract has one, any JSON value. */
function componentName(name: string): string {
  return name === "__schema0" ? "JsonValue" : name;
}

function capitalised(word: string): string {
  return word.charAt(0) + word.slice(1).toLowerCase();
}
