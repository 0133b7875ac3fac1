import type { ChildProcess } from "node:child_process";
import { Socket } from "node:net";
import type { Inspector } from "../driver.ts";
import { InspectorMessage, type InspectorRequest } from "./assignment.ts";

interface Waiting {
  readonly resolve: (connection: Socket) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The way to the inspector of an instance: the process that started it connects from inside of the instance's network
 * and hands the connection over. That process runs nothing of the function.
 */
export class InspectorChannel implements Inspector {
  readonly #channel: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #asked = 0;

  private constructor(channel: ChildProcess) {
    this.#channel = channel;
  }

  /** Calls `onOpen` once, when the inspector waits for a debugger. */
  static lead(channel: ChildProcess, onOpen: (inspector: Inspector) => void): void {
    const inspector = new InspectorChannel(channel);
    let isOpen = false;
    channel.on("message", (message, handle) => {
      const parsed = InspectorMessage.safeParse(message);
      if (!parsed.success) return;
      if (parsed.data.kind !== "inspector-open") inspector.#settle(parsed.data.number, handle);
      else if (!isOpen) {
        isOpen = true;
        onOpen(inspector);
      }
    });
    channel.on("disconnect", () => {
      for (const number of inspector.#waiting.keys()) inspector.#settle(number, undefined);
    });
  }

  connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const request: InspectorRequest = { kind: "connect-inspector", number: ++this.#asked };
      this.#waiting.set(request.number, { resolve, reject });
      this.#channel.send(request, (error) => error !== null && this.#settle(request.number, undefined));
    });
  }

  #settle(number: number, handle: unknown): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (handle instanceof Socket) {
      // Nobody asked for it any more.
      if (waiting === undefined) handle.destroy();
      else waiting.resolve(handle);
    } else waiting?.reject(new Error("the inspector of the instance takes no connection"));
  }
}
