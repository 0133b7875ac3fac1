// Hot path: ARCHITECTURE, hot-path rules
import { hopHeadersOf } from "./hop-headers.ts";

/** The client's headers as a directly invoked function gets them: as they came, less hop-by-hop and the platform's own. */
export function directRequestHeaders(rawHeaders: readonly string[]): string[] {
  const isHop = hopHeadersOf(rawHeaders);
  const headers: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const value = rawHeaders[index + 1] ?? "";
    const lowerName = name.toLowerCase();
    if (isHop(lowerName) && !(lowerName === "te" && value === "trailers")) continue;
    if (isPlatforms(lowerName) || lowerName === "content-length") continue;
    headers.push(name, value);
  }
  return headers;
}

/**
 * The client's headers as a function behind an HTTP trigger gets them: each with the prefix `Fn-Http-H-`, so that a
 * client cannot speak for the platform, except Content-Type.
 */
export function triggerRequestHeaders(
  rawHeaders: readonly string[],
  request: { readonly method: string; readonly url: string },
): string[] {
  const isHop = hopHeadersOf(rawHeaders);
  const headers = ["Fn-Intent", "httprequest", "Fn-Http-Method", request.method, "Fn-Http-Request-Url", request.url];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const lowerName = name.toLowerCase();
    if (isHop(lowerName) || isPlatforms(lowerName)) continue;
    headers.push(lowerName === "content-type" ? name : `Fn-Http-H-${name}`, rawHeaders[index + 1] ?? "");
  }
  return headers;
}

/** The value of the first header of this name, given in lower case. */
export function headerValue(headers: readonly string[], lowerName: string): string | undefined {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? "";
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) return headers[index + 1];
  }
  return undefined;
}

export interface RequestContext {
  readonly callId: string;
  /** As `DeadlineText` writes it. */
  readonly deadline: string;
  readonly attempt: number;
  /** The signed call context. */
  readonly chain: string;
  /** The caller's headers, in turn name and value; nothing in them can end a line. */
  readonly headers: readonly string[];
}

/** Writes Fn-Deadline, whose precision is seconds: calls that end in the same second share its text. */
export class DeadlineText {
  #second = -1;
  #text = "";

  of(deadlineMs: number): string {
    const second = Math.floor(deadlineMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = `${new Date(deadlineMs).toISOString().slice(0, 19)}Z`;
    }
    return this.#text;
  }
}

/** The head of `POST /call`: the contract's own headers and the caller's. The body is always chunked. */
export function requestHead(context: RequestContext): string {
  let head = `POST /call HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nFn-Call-Id: ${context.callId}\r\nFn-Deadline: ${context.deadline}\r\nChaya-Attempt: ${context.attempt}\r\nChaya-Chain: ${context.chain}\r\n`;
  const headers = context.headers;
  for (let index = 0; index < headers.length; index += 2) head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${head}\r\n`;
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Headers that another part of the platform adds to a call, less what is not theirs to say or cannot be sent. */
export function addedRequestHeaders(headers: readonly string[]): string[] {
  const safe: string[] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] ?? "";
    const value = headers[index + 1] ?? "";
    if (token.test(name) && fieldValue.test(value)) safe.push(name, value);
  }
  return directRequestHeaders(safe);
}

/** What only the platform may say, and what belongs to the caller's own connection. */
function isPlatforms(lowerName: string): boolean {
  switch (lowerName.charCodeAt(0)) {
    case letterC:
      return lowerName.startsWith("chaya-");
    case letterE:
      return lowerName === "expect";
    case letterF:
      return lowerName === "fn-call-id" || lowerName === "fn-deadline";
    case letterH:
      return lowerName === "host";
    default:
      return false;
  }
}

const letterC = 0x63;
const letterE = 0x65;
const letterF = 0x66;
const letterH = 0x68;
