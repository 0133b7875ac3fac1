import type { CallContext } from "./context.ts";
import { isJsonType } from "./input.ts";
import { callHeader, connectionHeaders } from "./protocol.ts";

export type ReplyHeaders = Headers | Readonly<Record<string, string | readonly string[]>>;

export interface ReplySettings {
  /** 200 to 599. */
  readonly status?: number;
  readonly headers?: ReplyHeaders;
  /** Anything a handler may return, except another reply. */
  readonly body?: unknown;
}

/** An answer with status and headers; made by `reply()`. */
export class Reply {
  readonly settings: ReplySettings;
  constructor(settings: ReplySettings) {
    this.settings = settings;
  }
}

/**
 * Answers an HTTP caller with a status and headers beside the body; direct callers see headers and body.
 *
 * ```js
 * import { handle, reply } from "@chaya/fdk";
 *
 * handle(async (album) => reply({ status: 201, headers: { location: `/albums/${album.id}` }, body: album }));
 * // in:  {"id":7}
 * // out: {"id":7}
 * ```
 */
export function reply(settings: ReplySettings): Reply {
  return new Reply(settings);
}

/** What goes over the wire for one result, independent of how it is sent. */
export interface Answer {
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  /** Bytes with a known length, or chunks as they come; undefined: no body. */
  readonly body: Uint8Array | AsyncIterator<unknown> | undefined;
  /** Already taken from `body` when that is an iterator. */
  readonly firstChunk: Uint8Array | undefined;
}

/**
 * Turns what a handler returned into headers and a body. The first chunk of a stream is awaited before the headers
 * are fixed, so that a generator may set them, and fail, before it yields.
 */
export async function answerOf(result: unknown, context: CallContext): Promise<Answer> {
  const settings = replySettings(result);
  const body = await openBody(settings.body);
  try {
    const headers = answerHeaders(settings, body, context);
    const status = checkedStatus(settings.status ?? context.response.status);
    const rawHeaders = wireHeaders(headers, status, context.isHttp);
    if (body.kind === "bytes") return { rawHeaders, body: body.bytes, firstChunk: body.firstChunk };
    const type = headers.get(callHeader.contentType) ?? undefined;
    return { rawHeaders, body: encodeValue(body.value, type), firstChunk: undefined };
  } catch (error) {
    await closeBody(body);
    throw error;
  }
}

function answerHeaders(settings: ReplySettings, body: OpenBody, context: CallContext): Headers {
  const headers = context.response.headers;
  for (const [name, values] of headerEntries(settings.headers)) {
    headers.delete(name);
    for (const value of values) headers.append(name, value);
  }
  if (!headers.has(callHeader.contentType) && body.contentType !== undefined) {
    headers.set(callHeader.contentType, body.contentType);
  }
  return headers;
}

async function closeBody(body: OpenBody): Promise<void> {
  if (body.kind === "bytes" && body.bytes !== undefined && !(body.bytes instanceof Uint8Array)) {
    await body.bytes.return?.();
  }
}

/** The bytes of a chunk of a stream. Throws TypeError for what is neither text nor bytes. */
export function chunkBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === "string") return Buffer.from(chunk);
  if (chunk instanceof Uint8Array) return chunk;
  throw new TypeError(`A stream's chunks must be strings or bytes, not ${typeof chunk}: use JSON.stringify`);
}

function replySettings(result: unknown): ReplySettings {
  if (result instanceof Reply) return result.settings;
  if (result instanceof Response)
    return { status: result.status, headers: result.headers, body: result.body ?? undefined };
  return { body: result };
}

type OpenBody =
  | { readonly kind: "value"; readonly value: unknown; readonly contentType: string | undefined }
  | {
      readonly kind: "bytes";
      readonly bytes: Uint8Array | AsyncIterator<unknown> | undefined;
      readonly firstChunk: Uint8Array | undefined;
      readonly contentType: string | undefined;
    };

const bytesType = "application/octet-stream";

async function openBody(body: unknown): Promise<OpenBody> {
  if (body === undefined) return { kind: "bytes", bytes: undefined, firstChunk: undefined, contentType: undefined };
  if (body instanceof Uint8Array) return knownBytes(body);
  if (body instanceof ArrayBuffer) return knownBytes(new Uint8Array(body));
  if (body instanceof Blob) {
    return { ...knownBytes(new Uint8Array(await body.arrayBuffer())), contentType: body.type || bytesType };
  }
  if (!isAsyncIterable(body)) return { kind: "value", value: body, contentType: "application/json" };
  const chunks = body[Symbol.asyncIterator]();
  const first = await chunks.next();
  const contentType = typeof first.value === "string" ? "text/plain; charset=utf-8" : bytesType;
  if (first.done === true) return { kind: "bytes", bytes: undefined, firstChunk: undefined, contentType: undefined };
  return { kind: "bytes", bytes: chunks, firstChunk: chunkBytes(first.value), contentType };
}

function knownBytes(bytes: Uint8Array): OpenBody & { readonly kind: "bytes" } {
  return { kind: "bytes", bytes, firstChunk: undefined, contentType: bytesType };
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** Text is JSON too, unless the content type says that it is something else. */
function encodeValue(value: unknown, contentType: string | undefined): Uint8Array {
  if (typeof value === "string" && !isJsonType(contentType)) return Buffer.from(value);
  const json = JSON.stringify(value);
  if (json === undefined) throw new TypeError(`The handler returned a ${typeof value}: JSON has nothing for it`);
  return Buffer.from(json);
}

function checkedStatus(status: number | undefined): number | undefined {
  if (status === undefined || (Number.isInteger(status) && status >= 200 && status <= 599)) return status;
  throw new RangeError(`The status of an answer must be an integer from 200 to 599, not ${status}`);
}

function headerEntries(headers: ReplyHeaders | undefined): [string, readonly string[]][] {
  if (headers === undefined) return [];
  if (!(headers instanceof Headers)) {
    return Object.entries(headers).map(([name, value]) => [name, typeof value === "string" ? [value] : value]);
  }
  return [...new Set(headers.keys())].map((name) => [
    name,
    name === "set-cookie" ? headers.getSetCookie() : [headers.get(name) ?? ""],
  ]);
}

function wireHeaders(headers: Headers, status: number | undefined, isHttp: boolean): string[] {
  const raw: string[] = [];
  if (status !== undefined) raw.push(callHeader.httpStatus, String(status));
  for (const [name, value] of headers) {
    if (connectionHeaders.includes(name) || name.startsWith("fn-")) continue;
    const isPlain = !isHttp || name === callHeader.contentType.toLowerCase();
    raw.push(isPlain ? name : callHeader.httpHeaderPrefix + name, value);
  }
  return raw;
}
