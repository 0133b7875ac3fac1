import { AsyncLocalStorage } from "node:async_hooks";
import type { Logger } from "./logger.ts";
import { callHeader, functionEnvironment, httpIntent } from "./protocol.ts";

/** What a function knows about the call it runs. */
export interface Context {
  /** The same for every attempt of a call. */
  readonly callId: string;
  /** 1 for the first attempt; more when a detached call is repeated. */
  readonly attempt: number;
  /** When the platform gives the call up. Far in the future when the platform names no deadline. */
  readonly deadline: Date;
  /** Milliseconds until the deadline, never negative; Infinity without one. */
  readonly remainingMs: number;
  /** Aborts at the deadline (TimeoutError) or when the caller goes away (AbortError). Pass it to whatever waits. */
  readonly signal: AbortSignal;
  /** The environment of the function: its configuration and secrets, the application's under the function's own. */
  readonly config: Readonly<Record<string, string>>;
  /** Of the HTTP request behind a trigger or gateway; of the call itself when it was invoked directly. */
  readonly headers: Headers;
  /** The contract's headers as the platform sent them, with their prefixes. */
  readonly callHeaders: Headers;
  /** The method of the HTTP request; undefined when the function was invoked directly. */
  readonly method: string | undefined;
  /** The URL of the HTTP request; undefined when the function was invoked directly. */
  readonly url: URL | undefined;
  /** Status and headers of the HTTP answer. What `reply()` or a Response says goes over it. */
  readonly response: ResponseSettings;
  /** Headers to send along when this function calls another one: they keep the chain of calls visible. */
  readonly outgoing: Readonly<Record<string, string>>;
  readonly logger: Logger;
  /** The memory limit; undefined when the platform does not tell. */
  readonly memoryMiB: number | undefined;
  readonly application: Named;
  readonly function: Named;
}

export interface Named {
  readonly id: string;
  readonly name: string;
}

export interface ResponseSettings {
  /** 200 to 599; seen by HTTP callers (triggers, gateways) only. 200 when undefined. */
  status: number | undefined;
  readonly headers: Headers;
}

/** The context of the call in which the asking code runs; undefined outside of calls. Safe when calls overlap. */
export function currentContext(): Context | undefined {
  return calls.getStore();
}

/** Runs `task` as part of the call of `context`. */
export function withContext<T>(context: Context, task: () => T): T {
  return calls.run(context, task);
}

const calls = new AsyncLocalStorage<Context>();

/** The W3C trace headers: they come with the call, or with the HTTP request behind it. */
const traceHeaders = ["traceparent", "tracestate"];
/** The last moment a Date can name (ECMA-262 §21.4.1.1). */
const endOfTimeMs = 8.64e15;
/** Timers count in 32 bits: a longer delay would fire at once. */
const timerMsMax = 2 ** 31 - 1;
const contentType = callHeader.contentType.toLowerCase();
const httpHeaderPrefix = callHeader.httpHeaderPrefix.toLowerCase();

export interface CallSource {
  readonly config: Readonly<Record<string, string>>;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly logger: Logger;
}

/** The context of one call. Its owner calls `callerGone` or `finish`; until then timers may wait. */
export class CallContext implements Context {
  readonly config: Readonly<Record<string, string>>;
  readonly logger: Logger;
  readonly isHttp: boolean;
  readonly #rawHeaders: readonly string[];
  readonly #deadlineMs: number;
  #callHeaders: Headers | undefined;
  #headers: Headers | undefined;
  #response: ResponseSettings | undefined;
  #abort: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #end: "running" | "caller-gone" | "finished" = "running";

  constructor(source: CallSource) {
    this.config = source.config;
    this.logger = source.logger;
    this.#rawHeaders = source.rawHeaders;
    this.isHttp = this.callHeader(callHeader.intent) === httpIntent;
    const deadlineMs = Date.parse(this.callHeader(callHeader.deadline) ?? "");
    this.#deadlineMs = Number.isNaN(deadlineMs) ? Number.POSITIVE_INFINITY : deadlineMs;
  }

  /** The first value of a header of the contract: looked up in place, since most calls ask for few of them. */
  callHeader(name: string): string | undefined {
    const wanted = name.toLowerCase();
    for (let i = 0; i + 1 < this.#rawHeaders.length; i += 2) {
      if (this.#rawHeaders[i]?.toLowerCase() === wanted) return this.#rawHeaders[i + 1];
    }
    return undefined;
  }

  get callHeaders(): Headers {
    this.#callHeaders ??= headersOf(this.#rawHeaders);
    return this.#callHeaders;
  }

  get callId(): string {
    return this.callHeader(callHeader.callId) ?? "";
  }

  get attempt(): number {
    const attempt = Number(this.callHeader(callHeader.attempt));
    return Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 1;
  }

  get deadline(): Date {
    return new Date(Math.min(this.#deadlineMs, endOfTimeMs));
  }

  get remainingMs(): number {
    return Math.max(0, this.#deadlineMs - Date.now());
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#end === "caller-gone") this.#abort.abort(callerGoneError());
      else if (this.#end === "running") this.#waitForDeadline(this.#abort);
    }
    return this.#abort.signal;
  }

  get headers(): Headers {
    this.#headers ??= this.isHttp ? requestHeaders(this.callHeaders) : this.callHeaders;
    return this.#headers;
  }

  get method(): string | undefined {
    return this.isHttp ? this.callHeader(callHeader.httpMethod) : undefined;
  }

  get url(): URL | undefined {
    const text = this.isHttp ? this.callHeader(callHeader.httpRequestUrl) : undefined;
    // Gateways of Oracle Functions give the path only.
    const base = "http://localhost";
    return text !== undefined && URL.canParse(text, base) ? new URL(text, base) : undefined;
  }

  get response(): ResponseSettings {
    this.#response ??= { status: undefined, headers: new Headers() };
    return this.#response;
  }

  get outgoing(): Readonly<Record<string, string>> {
    const headers: Record<string, string> = {};
    // Only the platform's own: a header of the same name on the HTTP request is its client's invention.
    const chain = this.callHeader(callHeader.chain);
    if (chain !== undefined) headers[callHeader.chain] = chain;
    for (const name of traceHeaders) {
      const value = this.callHeader(name) ?? this.headers.get(name);
      if (value !== null) headers[name] = value;
    }
    return headers;
  }

  get memoryMiB(): number | undefined {
    const memory = Number(this.config[functionEnvironment.memory]);
    return memory > 0 ? memory : undefined;
  }

  get application(): Named {
    return this.#named(functionEnvironment.applicationId, functionEnvironment.applicationName);
  }

  get function(): Named {
    return this.#named(functionEnvironment.functionId, functionEnvironment.functionName);
  }

  /** true when `error` is this call's own deadline coming back out of something that waited on the signal. */
  isDeadline(error: unknown): boolean {
    const reason: unknown = this.#abort?.signal.reason;
    if (!(reason instanceof DOMException) || reason.name !== "TimeoutError") return false;
    // Node's own timers, streams and events throw an AbortError of their own, with the reason as its cause.
    return error === reason || (error instanceof Error && error.name === "AbortError" && error.cause === reason);
  }

  callerGone(): void {
    if (this.#end !== "running") return;
    this.#end = "caller-gone";
    clearTimeout(this.#timer);
    this.#abort?.abort(callerGoneError());
  }

  finish(): void {
    if (this.#end !== "running") return;
    this.#end = "finished";
    clearTimeout(this.#timer);
  }

  #waitForDeadline(abort: AbortController): void {
    if (this.#deadlineMs === Number.POSITIVE_INFINITY) return;
    const expire = () =>
      abort.abort(new DOMException(`The deadline ${this.deadline.toISOString()} has passed`, "TimeoutError"));
    if (this.remainingMs === 0) expire();
    else this.#timer = setTimeout(expire, Math.min(this.remainingMs, timerMsMax));
  }

  #named(id: string, name: string): Named {
    return { id: this.config[id] ?? "", name: this.config[name] ?? "" };
  }
}

function callerGoneError(): DOMException {
  return new DOMException("The caller went away", "AbortError");
}

function headersOf(raw: readonly string[]): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < raw.length; i += 2) headers.append(raw[i] ?? "", raw[i + 1] ?? "");
  return headers;
}

/** The client's own headers: those with the prefix, without it, and Content-Type, which never has one. */
function requestHeaders(callHeaders: Headers): Headers {
  const headers = new Headers();
  for (const [name, value] of callHeaders) {
    if (name === contentType) headers.set(name, value);
    else if (name.startsWith(httpHeaderPrefix) && name.length > httpHeaderPrefix.length)
      headers.append(name.slice(httpHeaderPrefix.length), value);
  }
  return headers;
}
