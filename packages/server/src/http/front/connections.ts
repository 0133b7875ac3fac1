// Hot path: ARCHITECTURE, hot-path rules.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Dialect, Problem } from "@chaya/contract";
import type { Clock } from "../../kernel/clock.ts";
import type { FrontLimits } from "../limits.ts";
import type { HostKind } from "./hosts.ts";
import { plainAddress } from "./peers.ts";
import { endWithProblem } from "./raw-answer.ts";

/**
 * A connection. idle → (request) busy → idle …; busy or idle → ending (last answer written) → gone.
 * Idle ones are Node's to close when their keep-alive time is over, and are swept for heads that do not come whole: Node
 * watches heads on servers that listen only. Busy ones are swept for bodies and answers that stand still; ending ones
 * linger a moment so that the client can read the answer, then they are destroyed.
 */
export class Connection {
  readonly socket: Socket;
  /** The peer's address, an IPv4 one in its own spelling. */
  readonly address: string;
  /** The newest exchange; answers go out in order, so older ones are done when this one is. */
  request: IncomingMessage | undefined;
  response: ServerResponse | undefined;
  /** The last Host that was judged, and the judgement: clients repeat it with every request. */
  host: string | undefined;
  hostKind: HostKind = "unknown";
  /** Whether the peer runs as the user of this process; asked once, where a route wants to know. */
  isOwnUser: Promise<boolean> | undefined;
  endingAtMs: number | undefined;
  /** How much had been received when the next head was first waited for; undefined during an exchange. */
  headFrom: number | undefined = 0;
  /** What came after the newest request could not be read: that request is answered, then the connection ends. */
  isBroken = false;
  /** It speaks another protocol by now: whoever accepted that watches it. */
  isUpgraded = false;
  /** Counters at the last sign of life, and when that was. */
  received = 0;
  flushed = 0;
  aliveAtMs: number;

  constructor(socket: Socket, nowMs: number) {
    this.socket = socket;
    this.address = plainAddress(socket.remoteAddress ?? "");
    this.aliveAtMs = nowMs;
  }

  /** Whether an answer is owed. */
  get isAnswering(): boolean {
    const { response } = this;
    return response !== undefined && !response.writableFinished && !response.destroyed;
  }

  get isBusy(): boolean {
    return this.request?.complete === false || this.isAnswering;
  }
}

/** All connections of a front, and the one sweep that watches them. */
export class Connections {
  readonly #bySocket = new Map<Socket, Connection>();
  readonly #clock: Clock;
  readonly #limits: FrontLimits;
  readonly #dialect: Dialect;

  /** `dialect`: of refusals that no route owns. */
  constructor(clock: Clock, limits: FrontLimits, dialect: Dialect) {
    this.#clock = clock;
    this.#limits = limits;
    this.#dialect = dialect;
  }

  add(socket: Socket): void {
    this.#bySocket.set(socket, new Connection(socket, this.#clock.nowMs()));
    socket.once("close", () => this.#bySocket.delete(socket));
  }

  /** Undefined once the socket has closed: Node may still hand over what it had read. */
  of(socket: Socket): Connection | undefined {
    return this.#bySocket.get(socket);
  }

  answering(): ServerResponse[] {
    const owed: ServerResponse[] = [];
    for (const { isAnswering, response } of this.#bySocket.values())
      if (isAnswering && response !== undefined) owed.push(response);
    return owed;
  }

  /** Tells the client why, unless an answer has begun, and lets it read that. */
  end(connection: Connection, problem: Problem | undefined): void {
    const { socket } = connection;
    if (connection.endingAtMs !== undefined) return;
    connection.endingAtMs = this.#clock.nowMs();
    // Only the answer that is owed now matters: one before it is done.
    const hasBegun = connection.isBusy && connection.response?.headersSent === true;
    if (problem === undefined || hasBegun || !socket.writable) socket.destroy();
    else endWithProblem(socket, problem, { nowMs: this.#clock.nowMs(), dialect: this.#dialect });
  }

  /** Its last answer was written: the client gets a moment to read it. */
  linger(connection: Connection): void {
    connection.endingAtMs = this.#clock.nowMs();
    connection.socket.end();
  }

  sweep(): void {
    const nowMs = this.#clock.nowMs();
    for (const connection of this.#bySocket.values()) {
      if (connection.isUpgraded) continue;
      if (connection.endingAtMs !== undefined) {
        if (nowMs - connection.endingAtMs >= this.#limits.lingerMs) connection.socket.destroy();
      } else if (connection.isBusy) this.#watch(connection, nowMs);
      else this.#watchHead(connection, nowMs);
    }
  }

  destroyAll(): void {
    for (const { socket } of this.#bySocket.values()) socket.destroy();
  }

  /** A new exchange starts with a fresh measure of its pace. */
  begin(connection: Connection, request: IncomingMessage, response: ServerResponse): void {
    connection.request = request;
    connection.response = response;
    connection.headFrom = undefined;
    connection.aliveAtMs = this.#clock.nowMs();
  }

  /** The first head is due from the beginning, another one from its first byte. */
  #watchHead(connection: Connection, nowMs: number): void {
    const received = connection.socket.bytesRead;
    const isBetween = connection.request !== undefined && received === connection.headFrom;
    if (connection.headFrom === undefined || isBetween) {
      connection.headFrom = received;
      connection.aliveAtMs = nowMs;
      return;
    }
    const timeoutMs = this.#limits.headersTimeoutMs;
    if (nowMs - connection.aliveAtMs >= timeoutMs) this.end(connection, new Problem("request-stalled", { timeoutMs }));
  }

  #watch(connection: Connection, nowMs: number): void {
    const { socket, request } = connection;
    const pending = socket.writableLength;
    // Bytes that came and were not taken are our own slowness, never the client's.
    const isReceiving = request !== undefined && !request.complete && request.readableLength === 0;
    const received = socket.bytesRead;
    const flushed = socket.bytesWritten - pending;
    const moved = received - connection.received + (flushed - connection.flushed);
    if ((!isReceiving && pending === 0) || moved >= this.#limits.stallBytesMin) {
      connection.received = received;
      connection.flushed = flushed;
      connection.aliveAtMs = nowMs;
      return;
    }
    // A large write counts as flushed only when all of it is: it gets its time for every mebibyte.
    const limitMs =
      pending > 0 ? this.#limits.responseStallMs * Math.ceil(pending / 2 ** 20) : this.#limits.bodyStallMs;
    if (nowMs - connection.aliveAtMs < limitMs) return;
    this.end(connection, new Problem("request-stalled", { timeoutMs: limitMs }));
  }
}
