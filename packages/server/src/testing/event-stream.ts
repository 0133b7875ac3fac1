import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";

/** Server-sent events of one answer, as a client of ours reads them. */
export interface EventStream {
  readonly response: IncomingMessage;
  readonly events: readonly StreamEvent[];
  /** Comments, which keep the connection alive. */
  readonly comments: readonly string[];
  /** Resolves when the server ended the answer. */
  readonly ended: Promise<void>;
  /** Goes away without a word. */
  leave(): void;
}

interface StreamEvent {
  readonly event: string;
  readonly id: string;
  readonly data: string;
}

/** Opens the stream; while `isPaused` is given nothing is read until `response.resume()`. */
export async function openEventStream(
  url: string,
  options: { readonly headers?: Record<string, string>; readonly isPaused?: boolean } = {},
): Promise<EventStream> {
  const request = get(url, { headers: options.headers ?? {}, agent: false });
  request.on("error", () => request.destroy());
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const events: StreamEvent[] = [];
  const comments: string[] = [];
  let rest = "";
  response.on("data", (chunk: Buffer) => {
    const blocks = (rest + chunk.toString("utf8")).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      if (block.startsWith(":")) comments.push(block.slice(1).trim());
      else events.push(parseEvent(block));
    }
  });
  if (options.isPaused) response.pause();
  const ended = new Promise<void>((resolve) => response.once("close", () => resolve()));
  response.on("error", () => response.destroy());
  return { response, events, comments, ended, leave: () => request.destroy() };
}

function parseEvent(block: string): StreamEvent {
  const fields = new Map(
    block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  return { event: fields.get("event") ?? "", id: fields.get("id") ?? "", data: fields.get("data") ?? "" };
}
