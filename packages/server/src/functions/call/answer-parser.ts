// Hot path: ARCHITECTURE, hot-path rules
import { limits } from "@chaya/contract";
import { type AnswerHead, parseAnswerHead, readField } from "./answer-head.ts";

/** What an answer turns out to be, in order: one head, any number of bytes, one end. Nothing follows `onBroken`. */
export interface AnswerEvents {
  onHead(head: AnswerHead): void;
  /** A part of what was read; whoever keeps it keeps the whole read alive. */
  onBody(bytes: Buffer): void;
  onEnd(): void;
  /** Bytes after the end: the instance answered more than it was asked. */
  onExcess(): void;
  onBroken(broken: AnswerBroken): void;
}

export interface AnswerBroken {
  readonly kind: "malformed" | "header-too-large";
  /** Continues the sentence "The function's answer could not be read: …". */
  readonly reason: string;
}

/**
 * Reads one HTTP/1.1 answer from pieces cut anywhere; the same bytes give the same events however they are cut (body
 * bytes may come in other portions). States: idle (nothing asked: any byte is too much) → head → a body of a known
 * length, or chunk size → chunk → its end → … → trailers → idle; from any state → stopped.
 */
export class AnswerParser {
  readonly #events: AnswerEvents;
  #state: "idle" | "head" | "length" | "size" | "chunk" | "chunk-end" | "trailers" | "stopped" = "idle";
  /** The beginning of a head or line whose end has not come yet. */
  #partial: Buffer | undefined;
  /** Bytes of the body or chunk still to come. */
  #remaining = 0;
  #trailerBytes = 0;
  #lastText = "";
  #lastHead: AnswerHead | string = "";

  constructor(events: AnswerEvents) {
    this.#events = events;
  }

  /** Whether an answer is awaited or half read. */
  get isReading(): boolean {
    return this.#state !== "idle" && this.#state !== "stopped";
  }

  /** An answer is due: called with each request. */
  expectAnswer(): void {
    if (this.#state === "idle") this.#state = "head";
  }

  /** Nothing is read and nothing is told any more. */
  stop(): void {
    this.#state = "stopped";
    this.#partial = undefined;
  }

  push(bytes: Buffer): void {
    let offset = 0;
    while (offset < bytes.length) {
      switch (this.#state) {
        case "stopped":
          return;
        case "idle":
          this.stop();
          this.#events.onExcess();
          return;
        case "length":
        case "chunk":
          offset = this.#readBody(bytes, offset);
          break;
        case "head":
          offset = this.#readHead(bytes, offset);
          break;
        case "size":
        case "chunk-end":
        case "trailers":
          offset = this.#readLine(bytes, offset);
          break;
        default:
          this.#state satisfies never;
      }
    }
  }

  #readHead(bytes: Buffer, offset: number): number {
    const joined = this.#join(bytes, offset);
    // An end that is cut in two begins at most three bytes before what is new.
    const end = joined.indexOf("\r\n\r\n", Math.max(0, (this.#partial?.length ?? 0) - 3), "latin1");
    if (end > limits.responseHeaderBytesMax || (end < 0 && joined.length > limits.responseHeaderBytesMax))
      return this.#break("header-too-large", `its headers are larger than ${limits.responseHeaderBytesMax} bytes`);
    if (end < 0) {
      // What can no longer become a head is refused now: its end might never come.
      if (!startsLikeAnswer(joined)) return this.#break("malformed", "it does not begin with an HTTP/1.1 status line");
      if (hasBareLineFeed(joined)) return this.#break("malformed", "a header line ends without CR");
      this.#partial = joined;
      return bytes.length;
    }
    const next = bytes.length - (joined.length - end - 4);
    this.#partial = undefined;
    const head = this.#parseHead(joined.toString("latin1", 0, end));
    if (typeof head === "string") return this.#break("malformed", head);
    if (head.status === 101) return this.#break("malformed", "it switches to another protocol");
    // Interim answers (RFC 9110 §15.2) say nothing about the call: the head that counts is still to come.
    if (head.status < 200) return next;
    this.#beginBody(head);
    return next;
  }

  /** An instance says the same head again and again, for a second at least. */
  #parseHead(text: string): AnswerHead | string {
    if (text !== this.#lastText) {
      this.#lastHead = parseAnswerHead(text);
      this.#lastText = text;
    }
    return this.#lastHead;
  }

  #beginBody(head: AnswerHead): void {
    const framing = head.framing;
    this.#remaining = framing.kind === "length" ? framing.bytes : 0;
    this.#state = framing.kind === "chunked" ? "size" : "length";
    this.#events.onHead(head);
    if (this.#state === "length" && this.#remaining === 0) this.#end();
  }

  #readBody(bytes: Buffer, offset: number): number {
    const end = Math.min(bytes.length, offset + this.#remaining);
    this.#remaining -= end - offset;
    this.#events.onBody(offset === 0 && end === bytes.length ? bytes : bytes.subarray(offset, end));
    if (this.#remaining > 0 || !this.isReading) return end;
    if (this.#state === "chunk") this.#state = "chunk-end";
    else this.#end();
    return end;
  }

  /** Reads a line up to CRLF: a chunk's size, its end, or a trailer. */
  #readLine(bytes: Buffer, offset: number): number {
    const joined = this.#join(bytes, offset);
    const end = joined.indexOf(10, this.#partial?.length ?? 0);
    const length = end < 0 ? joined.length : end;
    if (length > this.#lineBytesMax()) return this.#break("malformed", "a line of its chunked body is too long");
    if (end < 0) {
      this.#partial = joined;
      return bytes.length;
    }
    const next = bytes.length - (joined.length - end - 1);
    this.#partial = undefined;
    if (joined[end - 1] !== 13) return this.#break("malformed", "a line of its chunked body ends without CR");
    this.#takeLine(joined.toString("latin1", 0, end - 1));
    return next;
  }

  #takeLine(line: string): void {
    if (this.#state === "size") this.#takeSize(line);
    else if (this.#state === "chunk-end") {
      if (line === "") this.#state = "size";
      else this.#break("malformed", "a chunk is longer than its size");
    } else if (line === "") this.#end();
    else this.#takeTrailer(line);
  }

  #takeSize(line: string): void {
    const size = /^([0-9A-Fa-f]{1,13})(?:;[\t\x20-\x7e\x80-\xff]*)?$/.exec(line);
    if (size === null) {
      this.#break("malformed", "the size of a chunk is not a hexadecimal number");
      return;
    }
    this.#remaining = Number.parseInt(size[1] ?? "", 16);
    this.#trailerBytes = 0;
    this.#state = this.#remaining === 0 ? "trailers" : "chunk";
  }

  /** Trailers are read by the rules of headers and dropped. */
  #takeTrailer(line: string): void {
    this.#trailerBytes += line.length + 2;
    const refusal = readField(line, []);
    if (refusal !== undefined) this.#break("malformed", refusal);
    else if (this.#trailerBytes > limits.responseHeaderBytesMax)
      this.#break("header-too-large", `its trailers are larger than ${limits.responseHeaderBytesMax} bytes`);
  }

  #lineBytesMax(): number {
    if (this.#state === "size") return sizeLineBytesMax;
    return this.#state === "chunk-end" ? 1 : limits.responseHeaderBytesMax;
  }

  #join(bytes: Buffer, offset: number): Buffer {
    const rest = offset === 0 ? bytes : bytes.subarray(offset);
    return this.#partial === undefined ? rest : Buffer.concat([this.#partial, rest]);
  }

  #end(): void {
    this.#state = "idle";
    this.#events.onEnd();
  }

  /** Returns an offset past every end, so that reading stops. */
  #break(kind: AnswerBroken["kind"], reason: string): number {
    this.stop();
    this.#events.onBroken({ kind, reason });
    return Number.MAX_SAFE_INTEGER;
  }
}

/** A chunk's size and its extensions. */
const sizeLineBytesMax = 256;

function startsLikeAnswer(bytes: Buffer): boolean {
  const beginning = "HTTP/1.";
  return beginning.startsWith(bytes.toString("latin1", 0, beginning.length));
}

function hasBareLineFeed(bytes: Buffer): boolean {
  for (let index = bytes.indexOf(10); index >= 0; index = bytes.indexOf(10, index + 1)) {
    if (index === 0 || bytes[index - 1] !== 13) return true;
  }
  return false;
}
