import type { ServerResponse } from "node:http";

/** A whole answer, small enough to be held in memory. */
export interface Answer {
  readonly status: number;
  /** Name, value, name, value …; without Content-Length. */
  readonly headers: string[];
  readonly body: Buffer;
}

export const noBody = Buffer.alloc(0);

/** Sends the answer whole. Node leaves the body out for HEAD and keeps its length. */
export function sendAnswer(response: ServerResponse, answer: Answer): void {
  const headers = allowsBody(answer.status)
    ? [...answer.headers, "Content-Length", String(answer.body.length)]
    : answer.headers;
  response.writeHead(answer.status, headers);
  response.end(answer.body);
}

/** RFC 9110 §8.6: no Content-Length with 1xx and 204. */
function allowsBody(status: number): boolean {
  return status >= 200 && status !== 204;
}
