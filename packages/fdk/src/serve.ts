import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Handler, type HandlerSettings, runCall } from "./call.ts";
import { CallContext } from "./context.ts";
import { createLogger, writeLine } from "./logger.ts";
import { type Answer, chunkBytes } from "./output.ts";
import { answerStatus, callHeader, callMethod, callPath, functionEnvironment } from "./protocol.ts";

const fdkVersion = "0.1.0";
const fdkHeaders: readonly string[] = [
  callHeader.fdkVersion,
  `chaya-fdk/${fdkVersion} (njsv=${process.version})`,
  callHeader.fdkRuntime,
  `node/${process.versions.node}`,
];
/** The platform limits headers (Fn: 1 MiB); Node's own 16 KiB would refuse what it lets through. */
const headerBytesMax = 1024 * 1024;

export interface ServeOptions extends HandlerSettings {
  readonly config: Readonly<Record<string, string>>;
}

/** An HTTP server, not yet listening, that answers `POST /call` by running `handler`. */
export function createCallServer(handler: Handler<never>, options: ServeOptions): Server {
  const logger = createLogger(writeLine);
  const server = createServer({ maxHeaderSize: headerBytesMax, requestTimeout: 0 }, (request, response) => {
    if (request.method !== callMethod || request.url !== callPath) {
      const reason = `A function takes ${callMethod} ${callPath} only, not ${request.method} ${request.url}`;
      request.resume();
      sendProblem(response, 400, reason);
      return;
    }
    const context = new CallContext({ config: options.config, rawHeaders: request.rawHeaders, logger });
    printLogFrame(context);
    // The only rejection left is a bug of this file: it ends the process like any unhandled rejection.
    void serveCall(handler, options, { context, request, response });
  });
  // The platform decides when a connection ends.
  server.keepAliveTimeout = 0;
  server.headersTimeout = 0;
  return server;
}

interface Call {
  readonly context: CallContext;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

async function serveCall(handler: Handler<never>, options: ServeOptions, call: Call): Promise<void> {
  const { context, request, response } = call;
  response.on("close", () => (response.writableFinished ? context.finish() : context.callerGone()));
  const body = { stream: request, contentType: request.headers["content-type"] };
  const outcome = await runCall(handler, options, { context, body });
  // What the handler left unread would block the next call on this connection.
  request.resume();
  switch (outcome.kind) {
    case "answered":
      return sendAnswer(outcome.answer, call);
    case "timed-out":
      return sendProblem(response, answerStatus.timedOut, "The function ran out of time");
    case "failed":
      if (!response.destroyed) printError(context, outcome.error);
      return sendProblem(response, answerStatus.failed, "Exception in function, consult logs for details");
    default:
      return outcome satisfies never;
  }
}

async function sendAnswer(answer: Answer, { context, response }: Call): Promise<void> {
  const { body, firstChunk } = answer;
  try {
    if (body === undefined || body instanceof Uint8Array) {
      const length = ["Content-Length", String(body?.length ?? 0)];
      response.writeHead(answerStatus.ok, [...answer.rawHeaders, ...fdkHeaders, ...length]).end(body);
      return;
    }
    response.writeHead(answerStatus.ok, [...answer.rawHeaders, ...fdkHeaders]);
    await sendChunks(response, body, firstChunk);
    response.end();
  } catch (error) {
    printError(context, error);
    // Half an answer must not look like a whole one.
    if (response.headersSent) response.destroy();
    else sendProblem(response, answerStatus.failed, "Exception in function, consult logs for details");
  }
}

/** Sends chunks as fast as the caller takes them; a caller that goes away ends the source early. */
async function sendChunks(
  response: ServerResponse,
  chunks: AsyncIterator<unknown>,
  firstChunk: Uint8Array | undefined,
): Promise<void> {
  let next: IteratorResult<unknown> = { done: false, value: firstChunk };
  try {
    while (next.done !== true && !response.destroyed) {
      if (!response.write(chunkBytes(next.value))) await writable(response);
      next = response.destroyed ? next : await chunks.next();
    }
  } finally {
    if (next.done !== true) await chunks.return?.();
  }
}

function writable(response: ServerResponse): Promise<void> {
  if (response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const settle = () => {
      response.off("drain", settle).off("close", settle);
      resolve();
    };
    response.on("drain", settle).on("close", settle);
  });
}

function sendProblem(response: ServerResponse, status: number, message: string): void {
  const body = Buffer.from(JSON.stringify({ message }));
  const headers = ["Content-Type", "application/json", "Content-Length", String(body.length), ...fdkHeaders];
  response.writeHead(status, headers).end(body);
}

function printError(context: CallContext, error: unknown): void {
  console.error(`Error in function (call ${context.callId}):`, error);
}

/** Lets a platform that reads merged output attribute lines to calls. */
function printLogFrame(context: CallContext): void {
  const name = context.config[functionEnvironment.logFrameName];
  const header = context.config[functionEnvironment.logFrameHeader];
  if (!name || !header) return;
  const id = context.callHeader(header);
  if (!id) return;
  process.stdout.write(`\n${name}=${id}\n`);
  process.stderr.write(`\n${name}=${id}\n`);
}
