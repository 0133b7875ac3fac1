/** What the tests look at of an event of the Chrome DevTools protocol. */
export interface DebuggerEvent {
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: each event has members of its own.
  readonly params: any;
}

/** A debugger that speaks the Chrome DevTools protocol over a WebSocket, as Chrome and VS Code do. */
export class Debugger {
  /** Every event so far, in order. */
  readonly events: DebuggerEvent[] = [];
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, PromiseWithResolvers<DebuggerEvent["params"]>>();
  #wake = Promise.withResolvers<void>();
  #seen = 0;
  #asked = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.addEventListener("close", () => resolve()));
    socket.addEventListener("message", ({ data }) => this.#take(String(data)));
  }

  static async attach(webSocketUrl: string): Promise<Debugger> {
    const socket = new WebSocket(webSocketUrl);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error(`no debugger can attach to ${webSocketUrl}`)));
    });
    return new Debugger(socket);
  }

  /** Begins to debug a Node that waits; resolves where it pauses: at the first line of the main script. */
  async begin(): Promise<DebuggerEvent["params"]> {
    await this.send("Debugger.enable");
    await this.send("Runtime.enable");
    await this.send("Runtime.runIfWaitingForDebugger");
    return await this.next("Debugger.paused");
  }

  send(method: string, params: object = {}): Promise<DebuggerEvent["params"]> {
    const id = ++this.#asked;
    const answer = Promise.withResolvers<DebuggerEvent["params"]>();
    this.#answers.set(id, answer);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return answer.promise;
  }

  /** The next event of this name that was not asked for yet. */
  async next(method: string): Promise<DebuggerEvent["params"]> {
    for (;;) {
      for (; this.#seen < this.events.length; this.#seen++) {
        const event = this.events[this.#seen];
        if (event?.method !== method) continue;
        this.#seen++;
        return event.params;
      }
      await this.#wake.promise;
    }
  }

  /** The first script of that name as the debugger was told of it. */
  script(name: RegExp): DebuggerEvent["params"] {
    return this.events.find(({ method, params }) => method === "Debugger.scriptParsed" && name.test(params.url))
      ?.params;
  }

  close(): void {
    this.#socket.close();
  }

  #take(text: string): void {
    const message = JSON.parse(text);
    const answer = this.#answers.get(message.id);
    if (answer === undefined) {
      this.events.push(message);
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    } else if (message.error === undefined) answer.resolve(message.result);
    else answer.reject(new Error(message.error.message));
  }
}
