export type { Handler } from "./call.ts";
export { type Context, currentContext, type Named, type ResponseSettings } from "./context.ts";
export { type HandleOptions, handle, type InputOf, type Listening } from "./handle.ts";
export type { InputMode } from "./input.ts";
export type { LogFields, Logger, LogLevel } from "./logger.ts";
export { Reply, type ReplyHeaders, type ReplySettings, reply } from "./output.ts";
