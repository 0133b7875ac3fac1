import type { Readable } from "node:stream";
import type { Handler } from "./call.ts";
import type { InputMode } from "./input.ts";
import { listenAt, listenerPath } from "./listen.ts";
import { createCallServer } from "./serve.ts";

export interface HandleOptions<Mode extends InputMode = InputMode> {
  /** How the handler receives the body: parsed JSON (default), text, a Buffer, or the stream itself. */
  readonly input?: Mode;
  /** Bodies that are not streamed are held in memory: larger ones are refused. 256 MiB when absent. */
  readonly inputBytesMax?: number;
}

/** What a handler receives in each mode. JSON has the type that the handler says. */
export interface InputOf<Json> {
  readonly json: Json;
  readonly text: string;
  readonly buffer: Buffer;
  readonly stream: Readable;
}

/** A function that listens. Only tests and pre-started processes need it. */
export interface Listening {
  /** Resolves when the function can be called. */
  readonly ready: Promise<void>;
  /** Takes no more calls and waits for those that run. */
  close(): Promise<void>;
}

export const inputBytesMaxDefault = 256 * 1024 * 1024;

/**
 * Makes this process a function: every call runs `handler`. Call it once, at the top of the entry file.
 *
 * ```js
 * import { handle } from "@chaya/fdk";
 *
 * handle(async (input, context) => {
 *   context.logger.info("greeting", { name: input.name });
 *   return { message: `Hello ${input.name ?? "world"}` };
 * });
 * // in:  {"name":"Chaya"}
 * // out: {"message":"Hello Chaya"}
 * ```
 *
 * What the handler throws fails the call (502) and its stack goes to the log. A wrong environment ends the process
 * with code 2, a socket that cannot be made with code 3, both with a sentence on standard error.
 */
export function handle<Json = unknown, Mode extends InputMode = "json">(
  handler: Handler<InputOf<Json>[Mode]>,
  options: HandleOptions<Mode> = {},
): Listening {
  const listener = listenerPath(process.env);
  if (listener.kind === "wrong") return leave(2, listener.sentence);
  const server = createCallServer(handler, {
    input: options.input ?? "json",
    inputBytesMax: options.inputBytesMax ?? inputBytesMaxDefault,
    config: environmentConfig(process.env),
  });
  const ready = listenAt(server, listener.path).catch((error: Error) =>
    leave(3, `The function cannot listen at ${listener.path}: ${error.message}`),
  );
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { ready, close };
}

/** A snapshot: what the handler does to process.env afterwards does not change a context. */
function environmentConfig(environment: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const set = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.freeze(Object.fromEntries(set));
}

function leave(code: number, sentence: string): never {
  console.error(sentence);
  process.exit(code);
}
