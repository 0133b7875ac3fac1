// Hot path: ARCHITECTURE, hot-path rules

/** The head of an instance's answer, its grammar checked. */
export interface AnswerHead {
  readonly status: number;
  /** Names and values in turn, as they were sent; surrounding white space removed. */
  readonly headers: readonly string[];
  readonly framing: AnswerFraming;
  /** Whether the instance keeps the connection for another call. */
  readonly keepsAlive: boolean;
}

export type AnswerFraming =
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  /** 1xx, 204 and 304: there is no body whatever the headers say (RFC 9112 §6.3). */
  | { readonly kind: "none" };

const chunked: AnswerFraming = { kind: "chunked" };
const none: AnswerFraming = { kind: "none" };
const statusLine = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const digits = /^[0-9]{1,15}$/;

/**
 * Reads a head, given without its closing empty line, as strictly as RFC 9112 writes it: no folded lines, no control
 * characters, no bare CR or LF, one framing and one only. A string says why it is refused.
 */
export function parseAnswerHead(text: string): AnswerHead | string {
  const lines = text.split("\r\n");
  const first = statusLine.exec(lines[0] ?? "");
  if (first === null) return "it does not begin with an HTTP/1.1 status line";
  const headers: string[] = [];
  for (let index = 1; index < lines.length; index++) {
    const refusal = readField(lines[index] ?? "", headers);
    if (refusal !== undefined) return refusal;
  }
  return withFraming(Number(first[2]), headers, first[1] === "0");
}

/** Appends the field of one line to `headers`; returns why it cannot. */
export function readField(line: string, headers: string[]): string | undefined {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  if (!token.test(name)) return "a header line has no valid name";
  const value = line.slice(colon + 1);
  if (!fieldValue.test(value)) return `the header '${name}' contains control characters`;
  headers.push(name, trimBlanks(value));
  return undefined;
}

function withFraming(status: number, headers: readonly string[], isOldVersion: boolean): AnswerHead | string {
  let length: string | undefined;
  let coding: string | undefined;
  let keepsAlive = !isOldVersion;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? "";
    const value = headers[index + 1] ?? "";
    // The lengths of the three names spare every other header the comparison of its letters.
    if (name.length === 14 && name.toLowerCase() === "content-length") {
      if (length !== undefined) return "it has two Content-Length headers";
      length = value;
    } else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") {
      if (coding !== undefined) return "it has two Transfer-Encoding headers";
      coding = value.toLowerCase();
    } else if (name.length === 10 && name.toLowerCase() === "connection") {
      if (/(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(value)) keepsAlive = false;
    }
  }
  const framing = framingOf(status, length, isOldVersion && coding !== undefined ? "" : coding);
  return typeof framing === "string" ? framing : { status, headers, framing, keepsAlive };
}

function framingOf(status: number, length: string | undefined, coding: string | undefined): AnswerFraming | string {
  if (length !== undefined && coding !== undefined) return "it has both Content-Length and Transfer-Encoding";
  if (status < 200 || status === 204 || status === 304) return none;
  if (coding !== undefined) return coding === "chunked" ? chunked : "its Transfer-Encoding is not chunked";
  if (length === undefined) return "it has neither Content-Length nor Transfer-Encoding: chunked";
  return digits.test(length) ? { kind: "length", bytes: Number(length) } : "its Content-Length is not a number";
}

function trimBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
