// Hot path: ARCHITECTURE, hot-path rules.
import type { IncomingMessage, ServerResponse } from "node:http";
import { anyMethods, Problem, publicRoutes } from "@chaya/contract";
import type { NewId } from "../../kernel/ids.ts";
import type { Logger } from "../../kernel/logger.ts";
import { noBody, sendAnswer } from "../answer.ts";
import type { Exchange, ServedRoute, ServeExchange, Upgrade } from "../exchange.ts";
import { discardBody, type FailedRoute, failExchange } from "../fail-exchange.ts";
import type { FrontLimits } from "../limits.ts";
import { type Admitted, anonymous, type Principal } from "../principal.ts";
import { type Owned, ownerOf, type PathOwner, RouteTable } from "../route-table.ts";
import type { Connection } from "./connections.ts";
import { type Framing, malformed, readFraming } from "./framing.ts";
import type { FrontRules } from "./front-rules.ts";
import type { HostKind } from "./hosts.ts";
import type { PeerOf } from "./peers.ts";

export interface DoorsDeps {
  readonly logger: Logger;
  readonly newId: NewId;
  readonly limits: FrontLimits;
  readonly rules: FrontRules;
  readonly peerOf: PeerOf;
  readonly isDraining: () => boolean;
}

/** What stands at a connection: one request and how its client waits for it. */
export interface Arrival {
  readonly connection: Connection;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The client sends the body only after 100 Continue. */
  readonly expectsContinue: boolean;
  /** Present when the client asks to change the protocol. */
  readonly upgrade?: Upgrade;
}

/** Who answers is decided here, once: Host, then path, then method, then whether it may enter. */
export class Doors {
  readonly #deps: DoorsDeps;
  readonly #table: RouteTable<ServeExchange>;
  /** A request that cannot be read may be meant for any door: its answer carries Fn's members and ours. */
  readonly #unreadable: FailedRoute;

  constructor(deps: DoorsDeps, served: readonly ServedRoute[]) {
    const { dialect } = deps.rules;
    this.#deps = deps;
    this.#table = new RouteTable(dialect);
    this.#unreadable = { ...noRoute, dialect, door: "data" };
    for (const { route, serve } of served) this.#table.add(route, serve);
  }

  open(arrival: Arrival): void {
    const { request } = arrival;
    let framing: Framing;
    try {
      framing = readFraming(request, this.#deps.limits);
    } catch (error) {
      // Where the next request would begin is in doubt: this is the last answer on the connection.
      arrival.response.setHeader("Connection", "close");
      this.#refuse(arrival, this.#unreadable, error);
      return;
    }
    const { target } = framing;
    if (target !== request.url) request.url = target;
    const question = target.indexOf("?");
    const path = question === -1 ? target : target.slice(0, question);
    try {
      const host = this.#judgeHost(arrival, framing.host);
      const owned = this.#ownerOf(arrival, path);
      if (owned === undefined) return;
      const query = question === -1 ? "" : target.slice(question + 1);
      this.#enter(arrival, owned, { host, path, query });
    } catch (error) {
      this.#refuse(arrival, { ...noRoute, dialect: this.#table.dialectOf(path) }, error);
    }
  }

  #judgeHost(arrival: Arrival, host: string): HostKind {
    const { connection, request } = arrival;
    if (connection.host !== host) {
      // HTTP/1.0 knows no Host; without a name there is nothing to rebind.
      const isNameless = host === "" && request.httpVersion === "1.0";
      connection.hostKind = isNameless ? "address" : this.#deps.rules.hostKind(host);
      connection.host = host;
    }
    if (connection.hostKind === "unknown") throw new Problem("host-unknown", { host });
    return connection.hostKind;
  }

  /** Undefined: answered already, by a redirect. */
  #ownerOf(arrival: Arrival, path: string): Owned<ServeExchange> | undefined {
    const method = arrival.request.method ?? "";
    const owner = this.#table.find(path);
    if (owner === undefined) {
      if (this.#redirects(arrival, path)) return undefined;
      throw this.#deps.rules.pathNotFound(method, path);
    }
    const owned = ownerOf(owner, method);
    if (owned === undefined) {
      arrival.response.setHeader("Allow", allowed(owner));
      throw new Problem("method-not-allowed", { method, path });
    }
    return owned;
  }

  /** Fn's server sends `/v2/apps/` to `/v2/apps`: 301 for GET, 307 for methods whose body must come along. */
  #redirects({ request, response }: Arrival, path: string): boolean {
    if (!path.endsWith("/")) return false;
    const trimmed = path.slice(0, -1);
    const owner = this.#table.find(trimmed);
    const owned = owner === undefined ? undefined : ownerOf(owner, request.method ?? "");
    if (owned?.route.dialect !== "fn" || owned.route.door !== "control") return false;
    const location = trimmed + (request.url ?? "").slice(path.length);
    const isGet = request.method === "GET";
    const shown = location.replaceAll("&", "&amp;").replaceAll('"', "&#34;").replaceAll("<", "&lt;");
    sendAnswer(response, {
      status: isGet ? 301 : 307,
      headers: isGet ? ["Content-Type", "text/html; charset=utf-8", "Location", location] : ["Location", location],
      body: isGet ? Buffer.from(`<a href="${shown}">Moved Permanently</a>.\n\n`) : noBody,
    });
    discardBody(request, this.#deps.limits.refusedBodyBytesMax);
    return true;
  }

  #enter(arrival: Arrival, owned: Owned<ServeExchange>, came: { host: HostKind; path: string; query: string }): void {
    const { connection, request, response, upgrade } = arrival;
    const { route } = owned;
    const { newId, peerOf, isDraining, rules } = this.#deps;
    if (isDraining() && (route.door !== "public" || route === publicRoutes.ready)) {
      throw new Problem("server-draining", {}, { retryAfterMs: drainRetryMs });
    }
    if (upgrade !== undefined && upgrade.protocol !== route.upgrade)
      throw malformed(`${route.path} does not speak ${upgrade.protocol}`);
    const peer = peerOf(request, connection.address);
    const { path, query } = came;
    const asked = { request, headers: request.headers, host: came.host, peer };
    const enter = (admitted: Admitted) =>
      this.#serve(
        arrival,
        owned,
        new ArrivedExchange({ request, response, path, query, peer, newId, admitted, upgrade }),
      );
    const admitted = rules.admit(route, connection, asked);
    if (!(admitted instanceof Promise)) enter(admitted);
    else admitted.then(enter, (error) => this.#refuse(arrival, route, error));
  }

  #serve(arrival: Arrival, owned: Owned<ServeExchange>, exchange: Exchange): void {
    // Refused without it, a client may or may not send the body: Node closes the connection after such an answer.
    if (arrival.expectsContinue) arrival.response.writeContinue();
    const fail = (error: unknown) => failExchange(this.#deps, { exchange, route: owned.route }, error);
    try {
      const served = owned.value(exchange);
      if (served !== undefined) served.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  #refuse(arrival: Arrival, route: FailedRoute, error: unknown): void {
    const { request, response } = arrival;
    const requestId = this.#deps.newId();
    const exchange = { request, response, path: route.path, query: "", peer: "", requestId, principal: anonymous };
    failExchange(this.#deps, { exchange, route }, error);
  }
}

/** How long a client of a stopping server should wait: until another one has taken over. */
const drainRetryMs = 5_000;

/** Where a request is refused that got as far as no route. */
const noRoute = { door: "control", path: "(none)" } as const;

function allowed(owner: PathOwner<ServeExchange>): string {
  return owner.any === undefined ? [...owner.byMethod.keys()].join(", ") : anyMethods.join(", ");
}

interface Arrived extends Omit<Exchange, "requestId" | keyof Admitted> {
  readonly newId: NewId;
  readonly admitted: Admitted;
}

/** An exchange whose request id is made when somebody asks for it: most calls never do. */
class ArrivedExchange implements Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: string;
  readonly peer: string;
  readonly principal: Principal;
  readonly bodySha256: string | undefined;
  readonly upgrade: Upgrade | undefined;
  readonly #newId: NewId;
  #requestId: string | undefined;

  constructor(arrived: Arrived) {
    this.request = arrived.request;
    this.response = arrived.response;
    this.path = arrived.path;
    this.query = arrived.query;
    this.peer = arrived.peer;
    this.principal = arrived.admitted.principal;
    this.bodySha256 = arrived.admitted.bodySha256;
    this.upgrade = arrived.upgrade;
    this.#newId = arrived.newId;
  }

  get requestId(): string {
    this.#requestId ??= this.#newId();
    return this.#requestId;
  }
}
