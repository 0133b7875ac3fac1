export type LogLevel = "debug" | "info" | "warn" | "error";

/** Writes one line per event: level, message, and the fields as JSON. Errors in fields appear with stack and cause. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, unknown>>;
/** Takes a whole line, without its end. `warn` and `error` belong on standard error, the others on standard output. */
export type WriteLine = (level: LogLevel, line: string) => void;

export function createLogger(write: WriteLine): Logger {
  const log = (level: LogLevel) => (message: string, fields?: LogFields) =>
    write(level, logLine(level, message, fields));
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}

export function writeLine(level: LogLevel, line: string): void {
  const output = level === "warn" || level === "error" ? process.stderr : process.stdout;
  output.write(`${line}\n`);
}

function logLine(level: LogLevel, message: string, fields: LogFields | undefined): string {
  // A line break inside a message would make two lines of one event, the second without its level.
  const text = message.replaceAll("\r", "\\r").replaceAll("\n", "\\n");
  const head = `${level.toUpperCase().padEnd(5)} ${text}`;
  return fields === undefined ? head : `${head} ${fieldsJson(fields)}`;
}

/** Logging must not fail a call: what JSON cannot show is shown as text. */
function fieldsJson(fields: LogFields): string {
  const open: unknown[] = [];
  function visible(this: unknown, _key: string, value: unknown): unknown {
    if (typeof value === "bigint") return value.toString();
    if (value instanceof Error) return errorFields(value);
    if (typeof value !== "object" || value === null) return value;
    while (open.length > 0 && open.at(-1) !== this) open.pop();
    if (open.includes(value)) return "[circular]";
    open.push(value);
    return value;
  }
  try {
    return JSON.stringify(fields, visible);
  } catch (error) {
    return JSON.stringify({ unprintable: String(error) });
  }
}

function errorFields(error: Error): LogFields {
  const stack = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause === undefined ? { stack } : { stack, cause: error.cause };
}
