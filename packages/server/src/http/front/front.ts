// Hot path: ARCHITECTURE, hot-path rules.
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Problem } from "@chaya/contract";
import { assert } from "../../kernel/assert.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import type { NewId } from "../../kernel/ids.ts";
import type { Logger } from "../../kernel/logger.ts";
import type { ServedRoute } from "../exchange.ts";
import { type FrontLimits, frontLimits } from "../limits.ts";
import { nodeHttp } from "../node-http.ts";
import { Connections } from "./connections.ts";
import { Doors } from "./doors.ts";
import type { FrontRules } from "./front-rules.ts";
import { type ParserError, parserProblem } from "./parser-problem.ts";
import { createPeerOf } from "./peers.ts";
import { answerOf, upgradeOf } from "./upgrade.ts";

export interface FrontDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: NewId;
  readonly rules: FrontRules;
  /** Addresses and CIDR ranges whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** Every route with what answers it, whatever its door. */
  readonly served: readonly ServedRoute[];
  /** For tests: limits that differ from the contract's. */
  readonly limits?: Partial<FrontLimits>;
}

/**
 * Connections, limits, strict framing; then the doors. Its connections come from `listen` or are given to `accept`. Owns
 * its sockets; routes own what they answer.
 */
export class Front implements AsyncDisposable {
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #doors: Doors;
  readonly #limits: FrontLimits;
  /** Protocols that a route declares; requests for others are answered as HTTP, as RFC 9110 §7.8 has it. */
  readonly #protocols: ReadonlySet<string | undefined>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #sweeping: Timer;
  #isDraining = false;
  #droppedCount = 0;
  #closed: Promise<void> | undefined;

  constructor(deps: FrontDeps) {
    const { clock, logger, newId, rules } = deps;
    this.#clock = clock;
    this.#logger = logger;
    this.#limits = { ...frontLimits, ...deps.limits };
    this.#protocols = new Set(
      deps.served.map(({ route }) => route.upgrade).filter((protocol) => protocol !== undefined),
    );
    this.#connections = new Connections(clock, this.#limits, rules.dialect);
    const peerOf = createPeerOf(deps.trustedProxies);
    const isDraining = () => this.#isDraining;
    this.#doors = new Doors({ logger, newId, limits: this.#limits, rules, peerOf, isDraining }, deps.served);
    this.#server = this.#createServer();
    this.#sweeping = clock.every(this.#limits.sweepMs, () => this.#sweep());
  }

  /** Rejects with Node's error when the address is taken or not ours. */
  async listen(host: string, port: number): Promise<{ readonly host: string; readonly port: number }> {
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port, backlog: 1024 }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    return addressOf(server.address());
  }

  /** Serves a connection that something else accepted. Whoever gives it counts it: `connectionsMax` is for listeners. */
  accept(socket: Socket): void {
    socket.setNoDelay(true);
    this.#server.emit("connection", socket);
  }

  /**
   * From now on /readyz and new requests are answered 503 and connections close after their answer. Resolves when
   * what was in flight is done, or after `deadlineMs`.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#isDraining = true;
    this.#server.closeIdleConnections();
    const ended = this.#connections.answering().map((response) => {
      if (!response.headersSent) response.setHeader("Connection", "close");
      return new Promise<void>((resolve) => response.once("close", resolve));
    });
    const deadline = new AbortController();
    // The sleep ends with the last exchange: no timer is left behind.
    const slept = this.#clock.sleep(deadlineMs, deadline.signal).catch(() => undefined);
    await Promise.race([Promise.all(ended), slept]);
    deadline.abort();
    await slept;
  }

  /** Stops listening and destroys what is still connected. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#sweeping.cancel();
      // Not listening (any more) is reported as an error; there is nothing to wait for then.
      this.#server.close(() => resolve());
      this.#connections.destroyAll();
    });
    return this.#closed;
  }

  #createServer(): Server {
    const limits = this.#limits;
    const server = nodeHttp.createServer({
      // Checked with an answer of our own.
      requireHostHeader: false,
      insecureHTTPParser: false,
      // Node counts the request line in; what is within both is measured exactly afterwards.
      maxHeaderSize: limits.requestLineBytesMax + limits.headerBytesMax + 1024,
      // The sweep watches both, on connections that were given as well as on those that were listened for.
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: limits.keepAliveMs,
      shouldUpgradeCallback: ({ headers }) => this.#protocols.has(headers.upgrade),
    });
    server.maxHeadersCount = limits.headersCountMax + 1;
    server.maxConnections = limits.connectionsMax;
    server.on("connection", (socket: Socket) => this.#connections.add(socket));
    server.on("drop", () => this.#droppedCount++);
    server.on("request", (request, response) => this.#arrive(request, response, false));
    server.on("checkContinue", (request, response) => this.#arrive(request, response, true));
    // RFC 9110 §10.1.1 lets a server ignore expectations it does not know.
    server.on("checkExpectation", (request, response) => this.#arrive(request, response, false));
    server.on("clientError", (error: ParserError, socket) => this.#refuseUnreadable(error, socket as Socket));
    server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket as Socket, head));
    server.on("connect", (_request, socket) => {
      const problem = new Problem("request-malformed", { reason: "CONNECT is for proxies, and this is none" });
      const connection = this.#connections.of(socket as Socket);
      if (connection !== undefined) this.#connections.end(connection, problem);
    });
    return server;
  }

  #arrive(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const connection = this.#connections.of(request.socket);
    if (connection === undefined) return;
    this.#connections.begin(connection, request, response);
    if (this.#isDraining) response.setHeader("Connection", "close");
    this.#doors.open({ connection, request, response, expectsContinue });
  }

  /** Node has left the connection to us: an answer that says no is the last one on it. */
  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const connection = this.#connections.of(socket);
    if (connection === undefined) return;
    socket.on("error", () => socket.destroy());
    const hasBody = (request.headers["content-length"] ?? request.headers["transfer-encoding"]) !== undefined;
    // An answer that is owed to a request before would be mixed with this one.
    if (hasBody || connection.isAnswering) {
      const reason = "a request that changes the protocol has no body and no request before it";
      this.#connections.end(connection, new Problem("request-malformed", { reason }));
      return;
    }
    const handover = { connection, request, head };
    const response = answerOf(handover, () => this.#connections.linger(connection));
    this.#connections.begin(connection, request, response);
    const upgrade = upgradeOf(handover, response);
    this.#doors.open({ connection, request, response, expectsContinue: false, upgrade });
  }

  /** The parser stopped. What it stopped in decides: a request that was being read, or one behind a whole one. */
  #refuseUnreadable(error: ParserError, socket: Socket): void {
    const connection = this.#connections.of(socket);
    if (connection === undefined || connection.isBroken || connection.endingAtMs !== undefined) return;
    connection.isBroken = true;
    const { request, response } = connection;
    const problem = parserProblem(error, this.#limits);
    if (problem === undefined || request?.complete !== true || !connection.isAnswering) {
      this.#connections.end(connection, problem);
      return;
    }
    // An answer is owed to the request before; ours would be taken for it. It goes out, then the connection ends.
    if (response?.headersSent === false) response.setHeader("Connection", "close");
    response?.once("finish", () => this.#connections.end(connection, undefined));
  }

  #sweep(): void {
    this.#connections.sweep();
    if (this.#droppedCount === 0) return;
    this.#logger.warn("connections refused", {
      count: this.#droppedCount,
      connectionsMax: this.#limits.connectionsMax,
    });
    this.#droppedCount = 0;
  }
}

/** A front that does not listen yet. */
export function createFront(deps: FrontDeps): Front {
  return new Front(deps);
}

function addressOf(address: AddressInfo | string | null): { host: string; port: number } {
  assert(address !== null && typeof address === "object", "the front listens on TCP");
  return { host: address.address, port: address.port };
}
