// Hot path: ARCHITECTURE, hot-path rules
import { type Dialect, limits, type Problem } from "@chaya/contract";
import { sendAnswer } from "../http/answer.ts";
import { dataAnswerHeaders } from "../http/data-answer-headers.ts";
import type { Exchange } from "../http/exchange.ts";
import { discardBody } from "../http/fail-exchange.ts";
import { problemAnswer } from "../http/problem-response.ts";
import type { TurnEnd } from "../kernel/turn-end.ts";
import type { AnswerHead } from "./call/answer-head.ts";
import type { CallerHead, MapAnswer } from "./call/answer-headers.ts";
import type { AnsweredCall, Caller } from "./call/caller.ts";

export interface HttpCallerOptions {
  readonly callId: string;
  readonly mapAnswer: MapAnswer;
  /** Flat headers that every answer gets: those of CORS. */
  readonly addedHeaders: readonly string[];
  readonly turnEnd: TurnEnd;
  /** In which a failed call is told; Fn's when absent. */
  readonly dialect?: Dialect | undefined;
}

const textBytesMax = 16 * 1024;

/**
 * A client that waits for the answer of its request. Head and first bytes are held until everything that came with them
 * is known: a whole small answer then goes out in one write with its length, as Fn sends it, and one that breaks off at
 * once becomes a plain 502.
 */
export class HttpCaller implements Caller {
  readonly #exchange: Exchange;
  readonly #options: HttpCallerOptions;
  #call: AnsweredCall | undefined;
  #head: CallerHead | undefined;
  #announcedBytes: number | undefined;
  #hasBody = true;
  #bytes = 0;
  #held: Buffer | undefined;
  #httpStatus: number | undefined;

  constructor(exchange: Exchange, options: HttpCallerOptions) {
    this.#exchange = exchange;
    this.#options = options;
  }

  get httpStatus(): number | undefined {
    return this.#httpStatus;
  }

  attach(call: AnsweredCall): void {
    this.#call = call;
    this.#exchange.response.on("close", () => call.cancel());
  }

  begin(head: AnswerHead): Problem | undefined {
    const mapped = this.#options.mapAnswer(head);
    if (mapped instanceof Error) return mapped;
    this.#head = mapped;
    this.#announcedBytes = head.framing.kind === "length" ? head.framing.bytes : undefined;
    this.#hasBody = this.#exchange.request.method !== "HEAD" && mapped.status !== 204 && mapped.status !== 304;
    return undefined;
  }

  get isHolding(): boolean {
    return this.#head !== undefined;
  }

  write(bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (!this.#hasBody) return;
    if (this.#head !== undefined && this.#held === undefined) {
      this.#held = bytes;
      return;
    }
    this.flush();
    this.#send(bytes);
  }

  flush(): void {
    if (this.#head === undefined) return;
    const held = this.#held;
    this.#sendHead(this.#head, this.#announcedBytes);
    if (held === undefined) this.#exchange.response.flushHeaders();
    else this.#send(held);
  }

  end(): void {
    if (this.#head === undefined) this.#exchange.response.end();
    else {
      this.#httpStatus = this.#head.status;
      this.#options.turnEnd.add(this.#sendWhole);
    }
    discardBody(this.#exchange.request, limits.refusedBodyBytesMax);
  }

  fail(problem: Problem): void {
    const { request, response, requestId } = this.#exchange;
    if (response.destroyed) return;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const { callId, dialect = "fn" } = this.#options;
    const answer = problemAnswer(problem, dialect, { requestId, call: { id: callId } });
    this.#httpStatus = answer.status;
    sendAnswer(response, { ...answer, headers: [...answer.headers, ...this.#options.addedHeaders] });
    discardBody(request, limits.refusedBodyBytesMax);
  }

  readonly #sendWhole = (): void => {
    const { response } = this.#exchange;
    const held = this.#held;
    if (this.#head === undefined) return;
    this.#sendHead(this.#head, this.#bytes);
    // Node joins a head with text in one write, and gathers buffers at twice the cost.
    if (held === undefined || held.length > textBytesMax) response.end(held);
    else response.end(held.toString("latin1"), "latin1");
  };

  #sendHead(head: CallerHead, bytes: number | undefined): void {
    const headers = dataAnswerHeaders(head.headers);
    headers.push("Fn-Call-Id", this.#options.callId, ...this.#options.addedHeaders);
    // RFC 9110 §8.6: 204 has no length, 304 that of another answer.
    if (bytes !== undefined && head.status !== 204 && head.status !== 304)
      headers.push("Content-Length", String(bytes));
    this.#httpStatus = head.status;
    this.#head = undefined;
    this.#held = undefined;
    this.#exchange.response.writeHead(head.status, headers);
  }

  #send(bytes: Buffer): void {
    const { response } = this.#exchange;
    if (response.write(bytes)) return;
    this.#call?.pauseAnswer();
    response.once("drain", () => this.#call?.resumeAnswer());
  }
}
