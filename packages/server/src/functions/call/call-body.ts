// Hot path: ARCHITECTURE, hot-path rules
import { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";

/** Where a call's body comes from: whole, or as it arrives. */
export type CallBody = Uint8Array | Readable;

export interface BodyReceiver {
  /** false: send no more until `BodyFeed.resume`. */
  onBodyPart(bytes: Uint8Array): boolean;
  onBodyEnd(): void;
  onBodyFailed(error: Error): void;
}

/** Feeds a body to its receiver with back-pressure by hand; nothing is read before the end of the turn of `start`. */
export class BodyFeed {
  readonly #body: CallBody;
  readonly #receiver: BodyReceiver;
  #isListening = false;
  #isStopped = false;

  constructor(body: CallBody, receiver: BodyReceiver) {
    this.#body = body;
    this.#receiver = receiver;
    if (!(body instanceof Uint8Array)) body.on("error", this.#onError);
  }

  start(): void {
    setImmediate(this.#begin);
  }

  resume(): void {
    if (!(this.#body instanceof Uint8Array) && this.#body.isPaused()) this.#body.resume();
  }

  #feedWhole(bytes: unknown): void {
    if (bytes instanceof Uint8Array && bytes.length > 0) this.#receiver.onBodyPart(bytes);
    if (!this.#isStopped) this.#receiver.onBodyEnd();
  }

  /** Reads no more of it. What is left belongs to whoever brought it. */
  stop(): void {
    const body = this.#body;
    this.#isStopped = true;
    if (!this.#isListening || body instanceof Uint8Array) return;
    body.off("data", this.#onData);
    body.off("end", this.#onEnd);
    body.pause();
  }

  readonly #begin = (): void => {
    const body = this.#body;
    if (this.#isStopped) return;
    if (body instanceof Uint8Array) {
      this.#feedWhole(body);
      return;
    }
    // What came together with its head is all there by now: one read is cheaper than its events.
    if (body instanceof IncomingMessage && body.complete) {
      this.#feedWhole(body.read());
      return;
    }
    this.#isListening = true;
    body.on("data", this.#onData);
    body.on("end", this.#onEnd);
  };

  readonly #onData = (bytes: Uint8Array): void => {
    if (this.#receiver.onBodyPart(bytes) || this.#body instanceof Uint8Array) return;
    this.#body.pause();
  };

  readonly #onEnd = (): void => this.#receiver.onBodyEnd();

  readonly #onError = (error: Error): void => this.#receiver.onBodyFailed(error);
}
