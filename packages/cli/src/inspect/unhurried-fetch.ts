import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/**
 * Fetch as a client of ours uses it, without a limit of time: Node's own gives up on an answer that has not begun after
 * five minutes, which a person with a debugger needs.
 */
export const unhurriedFetch: typeof fetch = async (target, init = {}) => {
  const url = new URL(target instanceof Request ? target.url : target);
  const { method = "GET", body, signal } = init;
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const headers = Object.fromEntries(new Headers(init.headers));
  const sent = send(url, { method, headers, agent: false, ...(signal && { signal }) });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    sent.on("response", resolve).on("error", reject);
    // A body that breaks off breaks the request.
    if (body instanceof ReadableStream) pipeline(Readable.fromWeb(body), sent).catch(reject);
    else if (body === undefined || body === null || typeof body === "string") sent.end(body ?? undefined);
    else throw new TypeError("this fetch sends text and streams");
  });
  const answer = await answered;
  const pairs = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value]),
  );
  const status = answer.statusCode ?? 0;
  // The statuses of answers that have no body (Fetch §2.2.3).
  const hasBody = ![101, 204, 205, 304].includes(status);
  const content = hasBody ? (Readable.toWeb(answer) as ReadableStream<Uint8Array<ArrayBuffer>>) : null;
  return new Response(content, { status, statusText: answer.statusMessage ?? "", headers: pairs });
};
