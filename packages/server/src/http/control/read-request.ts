import { type AnyRoute, type Dialect, isProblem, limits, Problem } from "@chaya/contract";
import { z } from "zod";
import { pathParameters } from "../path-parameters.ts";
import { JsonRefusal, type JsonRules, readJson } from "./read-json.ts";

/** What a handler gets of a request, parsed by its route's own schemas. */
export interface ParsedRequest {
  readonly params: Record<string, string>;
  readonly query: unknown;
  readonly body: unknown;
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: Buffer;
}

/** Throws `path-not-found`, `request-invalid`, `parameter-missing` or `body-not-json`. */
export function readRequest(route: AnyRoute, raw: RawRequest): ParsedRequest {
  const params = pathParameters(route, raw.path);
  if (params === undefined) throw new Problem("path-not-found", { method: raw.method, path: raw.path });
  return { params, query: readQuery(route, raw.query), body: readBody(route, raw.body) };
}

/** Fn and OCI take the first of several values and ignore names they do not know; ours are strict in both. */
function readQuery(route: AnyRoute, text: string): unknown {
  if (route.query === undefined) return undefined;
  const members: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(text)) {
    if (value.includes("\0")) throw new Problem("request-invalid", { where: `query ${name}`, reason: "it has a NUL" });
    if (!Object.hasOwn(members, name)) define(members, name, value);
    else if (route.dialect === "chaya")
      throw new Problem("request-invalid", { where: `query ${name}`, reason: "it is there twice" });
  }
  const parsed = route.query().safeParse(members);
  if (!parsed.success) throw invalid(route, parsed.error, { part: "query", value: members });
  return parsed.data;
}

function readBody(route: AnyRoute, bytes: Buffer): unknown {
  if (route.body === undefined) return undefined;
  const schema = route.body();
  const value = bodyValue(route.dialect, bytes, schema);
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  if (route.dialect === "fn") throw new Problem("body-not-json", { reason: firstIssue(parsed.error).reason });
  throw invalid(route, parsed.error, { part: "body", value });
}

function bodyValue(dialect: Dialect, bytes: Buffer, schema: z.ZodType): unknown {
  switch (dialect) {
    case "fn":
      return asFnReads(parsedBody(bytes, true), schema);
    case "oci":
      // Its Node SDK sends nothing in place of an empty object.
      return bytes.length === 0 ? {} : withoutNulls(parsedBody(bytes, false));
    default:
      return parsedBody(bytes, false);
  }
}

/** Members that are `null` are absent to OCI's services; elements of arrays stay what they are. Changes `value` itself. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) for (const element of value) withoutNulls(element);
  else if (typeof value === "object" && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      if (member === null) Reflect.deleteProperty(value, name);
      else withoutNulls(member);
    }
  }
  return value;
}

const fnRules: JsonRules = { depthMax: limits.jsonDepthMax, mayTrail: true, mayRepeatKeys: true };
const strictRules: JsonRules = { depthMax: limits.jsonDepthMax, mayTrail: false, mayRepeatKeys: false };

function parsedBody(bytes: Buffer, isFn: boolean): unknown {
  try {
    // Go replaces bytes that are not UTF-8; ours refuses them. A byte order mark stays and is no JSON in either.
    const text = new TextDecoder("utf-8", { fatal: !isFn, ignoreBOM: true }).decode(bytes);
    return readJson(text, isFn ? fnRules : strictRules);
  } catch (error) {
    if (isProblem(error)) throw error;
    const reason = error instanceof JsonRefusal ? error.message : "it is not UTF-8";
    throw new Problem("body-not-json", { reason }, { cause: error });
  }
}

/** `null` is an empty object, and a member's name may be in any case: the last one that fits a field wins, as in Go. */
function asFnReads(value: unknown, schema: z.ZodType): unknown {
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value) || !(schema instanceof z.ZodObject)) return value;
  const names = new Map(Object.keys(schema.shape).map((name) => [name.toLowerCase(), name]));
  const members: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) members[names.get(key.toLowerCase()) ?? key] = member;
  return members;
}

/** Sets an own member whatever its name: assigning to `__proto__` would set something else. */
function define(members: Record<string, string>, name: string, value: string): void {
  Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true });
}

interface Refused {
  readonly part: "query" | "body";
  readonly value: unknown;
}

/** OCI has a code of its own for what is not there at all. */
function invalid(route: AnyRoute, error: z.ZodError, { part, value }: Refused): Problem {
  const { where, reason } = firstIssue(error);
  const named = `${part}${where === "" ? "" : ` ${where}`}`;
  const isMissing = route.dialect === "oci" && isAbsent(value, error.issues[0]?.path ?? []);
  if (isMissing) return new Problem("parameter-missing", { where: named });
  return new Problem("request-invalid", { where: named, reason });
}

function isAbsent(value: unknown, path: readonly PropertyKey[]): boolean {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return true;
    at = Reflect.get(at, key);
  }
  return false;
}

/** The first thing that is wrong; zod's sentences end without a stop and begin with a capital. */
function firstIssue(error: z.ZodError): { where: string; reason: string } {
  const [issue] = error.issues;
  const message = issue?.message ?? "it does not fit";
  return { where: (issue?.path ?? []).join("."), reason: message.charAt(0).toLowerCase() + message.slice(1) };
}
