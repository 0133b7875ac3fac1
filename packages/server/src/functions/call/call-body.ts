// Hot path: ARCHITECTURE, hot-path rules
import type { Readable } from "node:stream";

/** Where a call's body comes from: whole, or as it arrives. */
export type CallBody = Uint8Array | Readable;

export interface BodyReceiver {
  /** false: send no more until `BodyFeed.resume`. */
  onBodyPart(bytes: Uint8Array): boolean;
  onBodyEnd(): void;
  onBodyFailed(error: Error): void;
}

/** Feeds a body to its receiver with back-pressure by hand; nothing is read before `start`. */
export class BodyFeed {
  readonly #body: CallBody;
  readonly #receiver: BodyReceiver;

  constructor(body: CallBody, receiver: BodyReceiver) {
    this.#body = body;
    this.#receiver = receiver;
    if (!(body instanceof Uint8Array)) body.on("error", this.#onError);
  }

  start(): void {
    const body = this.#body;
    if (body instanceof Uint8Array) {
      if (body.length > 0) this.#receiver.onBodyPart(body);
      this.#receiver.onBodyEnd();
      return;
    }
    body.on("data", this.#onData);
    body.on("end", this.#onEnd);
  }

  resume(): void {
    if (!(this.#body instanceof Uint8Array) && this.#body.isPaused()) this.#body.resume();
  }

  /** Reads no more of it. What is left belongs to whoever brought it. */
  stop(): void {
    const body = this.#body;
    if (body instanceof Uint8Array) return;
    body.off("data", this.#onData);
    body.off("end", this.#onEnd);
    body.pause();
  }

  readonly #onData = (bytes: Uint8Array): void => {
    if (this.#receiver.onBodyPart(bytes) || this.#body instanceof Uint8Array) return;
    this.#body.pause();
  };

  readonly #onEnd = (): void => this.#receiver.onBodyEnd();

  readonly #onError = (error: Error): void => this.#receiver.onBodyFailed(error);
}
