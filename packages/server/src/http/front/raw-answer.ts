import type { Socket } from "node:net";
import type { Dialect, Problem } from "@chaya/contract";
import { nodeHttp } from "../node-http.ts";
import { problemAnswer } from "../problem-response.ts";

/**
 * The last answer on a connection whose request could not be read: written by hand, because there is no exchange.
 * The sending side is closed after it; the caller gives the client a moment to read it.
 */
export function endWithProblem(socket: Socket, problem: Problem, options: { nowMs: number; dialect: Dialect }): void {
  // The path may be unknown here: Fn's members and ours together are read by clients of either.
  const { status, headers, body } = problemAnswer(problem, options.dialect, { call: {} });
  const lines = [
    `HTTP/1.1 ${status} ${nodeHttp.STATUS_CODES[status]}`,
    `Date: ${new Date(options.nowMs).toUTCString()}`,
  ];
  for (let index = 0; index < headers.length; index += 2) lines.push(`${headers[index]}: ${headers[index + 1]}`);
  lines.push(`Content-Length: ${body.length}`, "Connection: close");
  socket.end(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), body]));
}
