import type { Readable } from "node:stream";

/** How a handler receives the body of a call. */
export type InputMode = "json" | "text" | "buffer" | "stream";

export interface CallBody {
  readonly stream: Readable;
  readonly contentType: string | undefined;
}

/** The body of the call is not what the handler takes: the caller's fault, answered 4xx to HTTP callers. */
export class InputError extends Error {
  override readonly name = "InputError";
  readonly status: 400 | 413;

  constructor(status: 400 | 413, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/**
 * Reads the body as `mode` asks. JSON: nothing is `undefined`; text that is not JSON is given as it is, unless its
 * content type claims JSON. Throws InputError; rejects when the caller goes away while it sends.
 */
export async function readInput(body: CallBody, mode: InputMode, bytesMax: number): Promise<unknown> {
  if (mode === "stream") return body.stream;
  const bytes = await readBytes(body.stream, bytesMax);
  if (mode === "buffer") return bytes;
  const text = new TextDecoder().decode(bytes);
  return mode === "text" ? text : parseJson(text, body.contentType);
}

async function readBytes(stream: Readable, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      throw new InputError(413, `The request body is larger than ${bytesMax} bytes (option inputBytesMax of handle).`);
    }
    chunks.push(chunk);
  }
  // One chunk is the common case; concat would copy it.
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes);
}

function parseJson(text: string, contentType: string | undefined): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!isJsonType(contentType)) return text;
    throw new InputError(400, `The request body is not JSON: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

/** `application/json` and every `…+json` (RFC 6838 §4.2.8), parameters aside. */
export function isJsonType(contentType: string | undefined): boolean {
  const essence = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return essence === "application/json" || essence.endsWith("+json");
}
