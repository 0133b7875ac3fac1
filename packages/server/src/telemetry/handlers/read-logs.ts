import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Problem } from "@chaya/contract";
import { chayaRoutes, LogQuery } from "@chaya/contract/chaya";
import type { Audit } from "../../http/audit.ts";
import type { Authorize } from "../../http/authorize.ts";
import { authorizedStream } from "../../http/authorized-stream.ts";
import type { Exchange, ServedRoute } from "../../http/exchange.ts";
import type { Clock } from "../../kernel/clock.ts";
import { isId } from "../../kernel/ids.ts";
import type { Places, ResolveFunctions } from "../../seams.ts";
import { type LogFilter, type LogLine, lineView, type StoredLine } from "../log-line.ts";
import type { LogLines } from "../log-lines.ts";
import type { LogTail, LogTails } from "../log-tails.ts";
import type { TelemetryLimits } from "../telemetry-limits.ts";
import { functionFilter } from "./function-filter.ts";

export interface ReadLogsDeps {
  readonly lines: LogLines;
  readonly tails: LogTails;
  readonly resolve: ResolveFunctions;
  readonly clock: Clock;
  readonly limits: TelemetryLimits;
  readonly places: Places;
  readonly authorize: Authorize;
  readonly audit: Audit;
}

/** Log lines as one JSON list, or with follow=true as server-sent events until the client goes or the server stops. */
export function serveLogs(deps: ReadLogsDeps): ServedRoute {
  const locate = ({ query }: Exchange) => deps.places.filter(parseQuery(query));
  return authorizedStream(deps, { route: chayaRoutes.readLogs, locate }, async (exchange, may) => {
    const query = parseQuery(exchange.query);
    const isSeen = ({ applicationId }: StoredLine) => may(deps.places.application(applicationId));
    const filter = { ...functionFilter(deps.resolve, query), callId: query.call };
    const range = {
      sinceMs: query.since === undefined ? undefined : Date.parse(query.since),
      afterId: lastEventId(exchange.request),
      countMax: query.limit,
    };
    if (query.follow === "true") return follow(deps, exchange, { filter, range, isSeen });
    const lines = await deps.lines.newest(filter, range);
    const items = lines.filter(isSeen).map((line) => JSON.stringify(lineView(line, deps.resolve)));
    const body = Buffer.from(`{"items":[${items.join(",")}]}`);
    exchange.response.writeHead(200, { "Content-Type": "application/json", "Content-Length": body.length });
    exchange.response.end(body);
  });
}

function parseQuery(query: string): LogQuery {
  const given = new URLSearchParams(query);
  const repeated = [...given.keys()].find((name) => given.getAll(name).length > 1);
  if (repeated !== undefined) throw new Problem("request-invalid", { where: repeated, reason: "is given twice" });
  const parsed = LogQuery().safeParse(Object.fromEntries(given));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") || "query";
  throw new Problem("request-invalid", { where, reason: issue?.message ?? "is not understood" });
}

/** Where a reader that was cut off goes on (WHATWG HTML, server-sent events, `Last-Event-ID`). */
function lastEventId(request: IncomingMessage): string | undefined {
  const id = request.headers["last-event-id"];
  return typeof id === "string" && isId(id) ? id : undefined;
}

interface Follow {
  readonly filter: LogFilter;
  readonly range: Parameters<LogLines["newest"]>[1];
  /** What the reader may not see is left out. */
  readonly isSeen: (line: StoredLine) => boolean;
}

async function follow(deps: ReadLogsDeps, { response }: Exchange, { filter, range, isSeen }: Follow): Promise<void> {
  // Gathers before the history is read, so that no line falls between the two.
  using tail = deps.tails.open(filter);
  const onClose = () => tail[Symbol.dispose]();
  response.once("close", onClose);
  if (response.destroyed) onClose();
  const history = await deps.lines.newest(filter, range);
  response.writeHead(200, {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
  });
  response.flushHeaders();
  const heartbeat = deps.clock.every(deps.limits.logHeartbeatMs, () => {
    if (!response.writableNeedDrain) response.write(":\n\n");
  });
  try {
    const reader = { response, tail, resolve: deps.resolve };
    await send(reader, history.filter(isSeen));
    const isNew = newerThan(history, range.countMax);
    for (let lines = await tail.take(); lines.length > 0; lines = await tail.take()) {
      await send(
        reader,
        lines.filter((line) => isNew(line) && isSeen(line)),
      );
    }
    response.end(": the server stops\n\n");
  } finally {
    heartbeat.cancel();
    response.off("close", onClose);
  }
}

/** Whether a line that was gathered while the history was read is neither in it nor older than what it shows. */
function newerThan(history: readonly StoredLine[], countMax: number): (line: LogLine) => boolean {
  const shown = new Set(history.map((line) => line.id));
  const oldest = history.length === countMax ? history[0]?.id : undefined;
  return (line) => !shown.has(line.id) && (oldest === undefined || line.id > oldest);
}

/** Lines a piece: one large write would hold more than the reader has room for. */
const linesPerWrite = 64;

interface Reader {
  readonly response: ServerResponse;
  readonly tail: LogTail;
  readonly resolve: ResolveFunctions;
}

async function send({ response, tail, resolve }: Reader, lines: readonly (StoredLine | LogLine)[]): Promise<void> {
  for (let at = 0; at < lines.length && !response.destroyed; at += linesPerWrite) {
    const events = lines.slice(at, at + linesPerWrite).map((line) => {
      return `event: line\nid: ${line.id}\ndata: ${JSON.stringify(lineView(line, resolve))}\n\n`;
    });
    if (!response.write(events.join(""))) await room(response, tail.ended);
  }
}

/** Resolves when the reader has taken what was written, or the tail has ended. */
async function room(response: ServerResponse, ended: AbortSignal): Promise<void> {
  try {
    await once(response, "drain", { signal: ended });
  } catch (error) {
    if (!ended.aborted) throw error;
  }
}
