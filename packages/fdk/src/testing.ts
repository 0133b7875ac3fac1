import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type Handler, type HandlerSettings, runCall } from "./call.ts";
import { CallContext } from "./context.ts";
import { type HandleOptions, type InputOf, inputBytesMaxDefault } from "./handle.ts";
import type { InputMode } from "./input.ts";
import { listenAt } from "./listen.ts";
import { createLogger, type WriteLine, writeLine } from "./logger.ts";
import { type Answer, chunkBytes } from "./output.ts";
import { callHeader, callMethod, callPath, functionEnvironment, httpIntent, socketName } from "./protocol.ts";
import { createCallServer } from "./serve.ts";

export interface CallOptions {
  /** Makes the call an HTTP request, as a trigger does. */
  readonly http?: {
    readonly method?: string;
    readonly url?: string;
    readonly headers?: Readonly<Record<string, string>>;
  };
  /** Headers of the call itself. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly callId?: string;
  readonly attempt?: number;
  /** From now; 30,000 when absent. */
  readonly timeoutMs?: number;
  /** Aborting it is the caller that goes away. */
  readonly signal?: AbortSignal;
}

export interface CallHandlerOptions<Mode extends InputMode> extends CallOptions, HandleOptions<Mode> {
  /** Configuration and secrets. */
  readonly config?: Readonly<Record<string, string>>;
  /** Receives what `context.logger` writes; the process's outputs when absent. */
  readonly log?: WriteLine;
}

/** What the caller of the function sees. */
export interface CallResult {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  text(): string;
  json(): unknown;
}

/**
 * Calls a handler without a platform and without sockets. `input` is sent as JSON; strings, bytes and Readables are
 * sent as they are. Rejects with what the handler throws.
 *
 * ```js
 * import assert from "node:assert";
 * import { callHandler } from "@chaya/fdk/testing";
 *
 * const greet = async (input, context) => ({ hello: input.name, from: context.config.PLACE });
 * const result = await callHandler(greet, { name: "Ada" }, { config: { PLACE: "home" } });
 * assert.deepEqual(result.json(), { hello: "Ada", from: "home" });
 * ```
 */
export async function callHandler<Json = unknown, Mode extends InputMode = "json">(
  handler: Handler<InputOf<Json>[Mode]>,
  input?: unknown,
  options: CallHandlerOptions<Mode> = {},
): Promise<CallResult> {
  const context = new CallContext({
    config: { ...testEnvironment, ...options.config },
    rawHeaders: rawCallHeaders(input, options),
    logger: createLogger(options.log ?? writeLine),
  });
  const onAbort = () => context.callerGone();
  options.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const body = { stream: inputStream(input), contentType: context.callHeader(callHeader.contentType) };
    const outcome = await runCall(handler, settingsOf(options), { context, body });
    if (outcome.kind === "failed") throw outcome.error;
    if (outcome.kind === "timed-out") throw context.signal.reason;
    return callResult(answerSeen(outcome.answer.rawHeaders, context.isHttp), await answerBytes(outcome.answer));
  } finally {
    context.finish();
    options.signal?.removeEventListener("abort", onAbort);
  }
}

export interface TestFunction extends AsyncDisposable {
  /** The value FN_LISTENER has for this function, without its scheme. */
  readonly socketPath: string;
  /** Calls the function over its socket. A failed call resolves with status 502 or 504, as the platform sees it. */
  call(input?: unknown, options?: CallOptions): Promise<CallResult>;
  /** Ends it, and the calls that still run. */
  close(): Promise<void>;
}

/**
 * Runs a handler behind a real UNIX socket, as on a platform, within this process.
 *
 * ```js
 * import assert from "node:assert";
 * import { startFunction } from "@chaya/fdk/testing";
 *
 * const shout = await startFunction((input) => input.toUpperCase(), { input: "text" });
 * assert.equal((await shout.call("hi")).json(), "HI");
 * await shout.close();
 * ```
 */
export async function startFunction<Json = unknown, Mode extends InputMode = "json">(
  handler: Handler<InputOf<Json>[Mode]>,
  options: HandleOptions<Mode> & { readonly config?: Readonly<Record<string, string>> } = {},
): Promise<TestFunction> {
  const directory = await mkdtemp(join(tmpdir(), "chaya-fn-"));
  const socketPath = join(directory, socketName);
  const config = { ...testEnvironment, ...options.config };
  const server = createCallServer(handler, { ...settingsOf(options), config });
  await listenAt(server, socketPath);
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    await rm(directory, { recursive: true, force: true });
  };
  const call = (input?: unknown, callOptions: CallOptions = {}) => callSocket(socketPath, input, callOptions);
  return { socketPath, call, close, [Symbol.asyncDispose]: close };
}

const testEnvironment: Readonly<Record<string, string>> = {
  [functionEnvironment.memory]: "128",
  [functionEnvironment.functionId]: "01TESTFUNCTION000000000000",
  [functionEnvironment.functionName]: "test",
  [functionEnvironment.applicationId]: "01TESTAPPLICATION000000000",
  [functionEnvironment.applicationName]: "test",
};
const timeoutMsDefault = 30_000;

function settingsOf(options: HandleOptions): HandlerSettings {
  return { input: options.input ?? "json", inputBytesMax: options.inputBytesMax ?? inputBytesMaxDefault };
}

function rawCallHeaders(input: unknown, options: CallOptions): string[] {
  const deadline = new Date(Date.now() + (options.timeoutMs ?? timeoutMsDefault));
  const headers: Record<string, string> = {
    [callHeader.callId]: options.callId ?? "01TESTCALL0000000000000000",
    [callHeader.deadline]: deadline.toISOString(),
    [callHeader.attempt]: String(options.attempt ?? 1),
  };
  if (!isRaw(input) && input !== undefined) headers[callHeader.contentType] = "application/json";
  if (options.http !== undefined) {
    headers[callHeader.intent] = httpIntent;
    headers[callHeader.httpMethod] = options.http.method ?? "POST";
    headers[callHeader.httpRequestUrl] = options.http.url ?? "http://localhost/";
    for (const [name, value] of Object.entries(options.http.headers ?? {})) {
      const isContentType = name.toLowerCase() === callHeader.contentType.toLowerCase();
      headers[isContentType ? callHeader.contentType : callHeader.httpHeaderPrefix + name] = value;
    }
  }
  return Object.entries({ ...headers, ...options.headers }).flat();
}

function isRaw(input: unknown): input is string | Uint8Array | Readable {
  return typeof input === "string" || input instanceof Uint8Array || input instanceof Readable;
}

function inputStream(input: unknown): Readable {
  if (input instanceof Readable) return input;
  if (input === undefined) return Readable.from([]);
  const bytes =
    input instanceof Uint8Array ? input : Buffer.from(typeof input === "string" ? input : JSON.stringify(input));
  return Readable.from([Buffer.from(bytes)], { objectMode: false });
}

/** Undoes what the contract does to the headers of an HTTP answer. */
function answerSeen(rawHeaders: readonly string[], isHttp: boolean): { status: number; headers: Headers } {
  const prefix = callHeader.httpHeaderPrefix.toLowerCase();
  const headers = new Headers();
  let status = 200;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i]?.toLowerCase() ?? "", rawHeaders[i + 1] ?? ""];
    if (isHttp && name === callHeader.httpStatus.toLowerCase()) status = Number(value);
    else if (isHttp && name.startsWith(prefix)) headers.append(name.slice(prefix.length), value);
    else headers.append(name, value);
  }
  return { status, headers };
}

async function answerBytes(answer: Answer): Promise<Buffer> {
  if (answer.body === undefined) return Buffer.alloc(0);
  if (answer.body instanceof Uint8Array) return Buffer.from(answer.body);
  const chunks: Uint8Array[] = answer.firstChunk === undefined ? [] : [answer.firstChunk];
  for (let next = await answer.body.next(); next.done !== true; next = await answer.body.next()) {
    chunks.push(chunkBytes(next.value));
  }
  return Buffer.concat(chunks);
}

function callSocket(socketPath: string, input: unknown, options: CallOptions): Promise<CallResult> {
  return new Promise((resolve, reject) => {
    const headers = Object.fromEntries(pairs(rawCallHeaders(input, options)));
    const signal = options.signal === undefined ? {} : { signal: options.signal };
    const request = httpRequest({ socketPath, method: callMethod, path: callPath, headers, ...signal }, (response) => {
      readResponse(response, options.http !== undefined).then(resolve, reject);
    });
    request.on("error", reject);
    const source = inputStream(input);
    source.on("error", (error) => request.destroy(error));
    source.pipe(request);
  });
}

async function readResponse(response: IncomingMessage, isHttp: boolean): Promise<CallResult> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const seen = answerSeen(response.rawHeaders, isHttp);
  const status = response.statusCode === 200 ? seen.status : (response.statusCode ?? 0);
  return callResult({ status, headers: seen.headers }, Buffer.concat(chunks));
}

function* pairs(raw: readonly string[]): Iterable<[string, string]> {
  for (let i = 0; i + 1 < raw.length; i += 2) yield [raw[i] ?? "", raw[i + 1] ?? ""];
}

function callResult(seen: { status: number; headers: Headers }, body: Buffer): CallResult {
  return { ...seen, body, text: () => body.toString(), json: () => JSON.parse(body.toString()) };
}
