import { connect, type Socket } from "node:net";

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A client that writes exactly the bytes it is told to and shows exactly the bytes that come back. */
export class RawClient implements AsyncDisposable {
  readonly socket: Socket;
  /** Resolves when the connection is gone, however it ended. */
  readonly closed: Promise<void>;
  #received = Buffer.alloc(0);
  #isClosed = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    // A reset is one way a refused connection may end; `closed` tells the test about it.
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.#isClosed = true;
        this.#wake();
        resolve();
      });
    });
  }

  static async connect(port: number, host = "127.0.0.1"): Promise<RawClient> {
    const socket = connect({ port, host, noDelay: true });
    const client = new RawClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return client;
  }

  /** Latin 1: one character, one byte. */
  send(text: string): this {
    this.socket.write(Buffer.from(text, "latin1"));
    return this;
  }

  /** The next whole answer; 1xx ones included. Undefined when the connection ended without one. */
  async answer(options: { readonly isHead?: boolean } = {}): Promise<RawAnswer | undefined> {
    for (;;) {
      const taken = takeAnswer(this.#received, options.isHead === true);
      if (taken !== undefined) {
        this.#received = this.#received.subarray(taken.bytes);
        return taken.answer;
      }
      if (this.#isClosed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** What has come and was not taken as an answer. */
  get rest(): string {
    return this.#received.toString("latin1");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }
}

/** One connection, one text, its first answer, and whether the server closed afterwards when it said it would. */
export async function exchangeRaw(port: number, text: string): Promise<RawAnswer | undefined> {
  await using client = await RawClient.connect(port);
  const answer = await client.send(text).answer({ isHead: text.startsWith("HEAD ") });
  if (answer?.headers.connection === "close") {
    client.socket.end();
    await client.closed;
  }
  return answer;
}

function takeAnswer(received: Buffer, isHead: boolean): { answer: RawAnswer; bytes: number } | undefined {
  const headerEnd = received.indexOf("\r\n\r\n");
  if (headerEnd === -1) return undefined;
  const [statusLine = "", ...lines] = received.toString("latin1", 0, headerEnd).split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const hasNoBody = isHead || status < 200 || status === 204;
  const bodyBytes = hasNoBody ? 0 : Number(headers["content-length"] ?? 0);
  const bytes = headerEnd + 4 + bodyBytes;
  if (received.length < bytes) return undefined;
  return { answer: { status, headers, body: received.toString("utf8", headerEnd + 4, bytes) }, bytes };
}
