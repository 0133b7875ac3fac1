import { pino } from "pino";

/** Structured log of the platform itself: a constant message and fields. Never secrets, never bodies. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** Only for what a person must act on. */
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

export type LogFields = Readonly<Record<string, unknown>>;
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** Writes JSON lines to standard error, so that standard output stays free for the ready line. */
export function createLogger(level: LogLevel): Logger {
  // Whatever an error is filed under, it is written with its message, its stack and its causes.
  const { errWithCause } = pino.stdSerializers;
  const serializers = { err: errWithCause, error: errWithCause };
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers };
  return wrap(pino(options, pino.destination(2)));
}

export function silentLogger(): Logger {
  const nothing = () => {};
  const logger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => logger };
  return logger;
}

function wrap(sink: pino.Logger): Logger {
  const at =
    (level: "debug" | "info" | "warn" | "error") =>
    (message: string, fields: LogFields = {}) =>
      sink[level](fields, message);
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => wrap(sink.child(fields)),
  };
}
