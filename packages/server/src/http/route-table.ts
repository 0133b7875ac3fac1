// Hot path: ARCHITECTURE, hot-path rules.
import { type AnyRoute, anyMethods, type Dialect } from "@chaya/contract";
import { assert } from "../kernel/assert.ts";

/** What the table knows of a raw path: the owner of each method. */
export interface PathOwner<T> {
  readonly byMethod: ReadonlyMap<string, Owned<T>>;
  /** Answers the methods of Fn's router when present. */
  readonly any: Owned<T> | undefined;
}

export interface Owned<T> {
  readonly route: AnyRoute;
  readonly value: T;
}

const everyMethod: ReadonlySet<string> = new Set(anyMethods);

/**
 * Who answers a path, decided on the raw path byte for byte: nothing is decoded, folded or collapsed, so no spelling of
 * a path reaches a route past the rules that were checked for it. A level has named segments or one parameter, never
 * both: no path has two owners. A match costs one map lookup a segment and allocates nothing but the segments.
 */
export class RouteTable<T> {
  readonly #root = newLevel<T>();
  readonly #dialects = new Map<string, Dialect>();
  readonly #dialect: Dialect;

  /** `dialect`: of paths that nobody owns and whose first segment nobody does; Fn's, whose server they would meet. */
  constructor(dialect: Dialect = "fn") {
    this.#dialect = dialect;
  }

  add(route: AnyRoute, value: T): void {
    const segments = route.path.slice(1).split("/");
    const [first = ""] = segments;
    if (first !== "") this.#dialects.set(first, route.dialect);
    let level = this.#root;
    for (const [index, segment] of segments.entries()) {
      const isLast = index === segments.length - 1;
      if (segment.endsWith("...}")) {
        assert(isLast, `${route.path}: only the last segment may take the rest`);
        assert(level.parameter === undefined && level.named.size === 0, `${route.path} has two owners`);
        level.rest ??= newLevel<T>();
        level = level.rest;
      } else if (segment.startsWith("{")) {
        assert(level.named.size === 0 && level.rest === undefined, `${route.path} has two owners`);
        level.parameter ??= newLevel<T>();
        level = level.parameter;
      } else {
        assert(level.parameter === undefined && level.rest === undefined, `${route.path} has two owners`);
        level = childOf(level, segment);
      }
    }
    own(level, { route, value });
  }

  /** The owner of a path; undefined when there is none. */
  find(path: string): PathOwner<T> | undefined {
    if (path.charCodeAt(0) !== slash) return undefined;
    let level: Level<T> = this.#root;
    let start = 1;
    for (;;) {
      // A rest may be empty and may begin with a slash of its own, even a second one.
      if (level.rest !== undefined) return level.rest.owner;
      const end = path.indexOf("/", start);
      const segment = end === -1 ? path.slice(start) : path.slice(start, end);
      const next: Level<T> | undefined = level.named.get(segment) ?? (segment === "" ? undefined : level.parameter);
      if (next === undefined) return undefined;
      if (end === -1) return next.owner ?? next.rest?.owner;
      level = next;
      start = end + 1;
    }
  }

  /** The dialect in which a path that nobody owns is refused: that of its first segment, else the table's. */
  dialectOf(path: string): Dialect {
    const end = path.indexOf("/", 1);
    const first = end === -1 ? path.slice(1) : path.slice(1, end);
    return this.#dialects.get(first) ?? (ociVersion.test(first) ? "oci" : this.#dialect);
  }
}

/** The owner of a method on a path. HEAD is answered where GET is on public routes only: Fn's API refuses it. */
export function ownerOf<T>(owner: PathOwner<T>, method: string): Owned<T> | undefined {
  const exact = owner.byMethod.get(method);
  if (exact !== undefined) return exact;
  if (owner.any !== undefined) return everyMethod.has(method) ? owner.any : undefined;
  if (method !== "HEAD") return undefined;
  const get = owner.byMethod.get("GET");
  return get?.route.door === "public" ? get : undefined;
}

const slash = 47;

/** OCI's services begin their paths with the date of their version: 20181201. */
const ociVersion = /^\d{8}$/;

interface Level<T> {
  readonly named: Map<string, Level<T>>;
  parameter: Level<T> | undefined;
  rest: Level<T> | undefined;
  owner: MutableOwner<T> | undefined;
}

interface MutableOwner<T> extends PathOwner<T> {
  readonly byMethod: Map<string, Owned<T>>;
  any: Owned<T> | undefined;
}

function newLevel<T>(): Level<T> {
  return { named: new Map(), parameter: undefined, rest: undefined, owner: undefined };
}

function childOf<T>(level: Level<T>, segment: string): Level<T> {
  let child = level.named.get(segment);
  if (child === undefined) {
    child = newLevel<T>();
    level.named.set(segment, child);
  }
  return child;
}

function own<T>(level: Level<T>, owned: Owned<T>): void {
  level.owner ??= { byMethod: new Map(), any: undefined };
  const { method } = owned.route;
  const isTaken = level.owner.any !== undefined || (method === "ANY" && level.owner.byMethod.size > 0);
  assert(!isTaken && !level.owner.byMethod.has(method), `${method} ${owned.route.path} has two owners`);
  if (method === "ANY") level.owner.any = owned;
  else level.owner.byMethod.set(method, owned);
}
