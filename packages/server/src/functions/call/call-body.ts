// Hot path: ARCHITECTURE, hot-path rules
import type { Readable } from "node:stream";
import type { TurnEnd } from "../../kernel/turn-end.ts";

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
  readonly #turnEnd: TurnEnd;
  #isFlowing = false;
  #isStopped = false;

  constructor(body: CallBody, receiver: BodyReceiver, turnEnd: TurnEnd) {
    this.#body = body;
    this.#receiver = receiver;
    this.#turnEnd = turnEnd;
    if (!(body instanceof Uint8Array)) body.on("error", this.#onError);
  }

  /** Begins at the end of this turn: what came with the head of a request is being parsed until then. */
  start(): void {
    this.#turnEnd.add(this.#begin);
  }

  resume(): void {
    if (!(this.#body instanceof Uint8Array) && this.#body.isPaused()) this.#body.resume();
  }

  /** Reads no more of it. What is left belongs to whoever brought it. */
  stop(): void {
    const body = this.#body;
    this.#isStopped = true;
    if (body instanceof Uint8Array || !this.#isFlowing) return;
    body.off("data", this.#onData);
    body.off("end", this.#onEnd);
    body.pause();
  }

  readonly #begin = (): void => {
    const body = this.#body;
    if (this.#isStopped) return;
    if (body instanceof Uint8Array) {
      if (body.length > 0) this.#receiver.onBodyPart(body);
      this.#receiver.onBodyEnd();
    } else if ("complete" in body && body.complete === true) this.#readWhole(body);
    else {
      this.#isFlowing = true;
      body.on("data", this.#onData);
      body.on("end", this.#onEnd);
    }
  };

  /** Of a request that has arrived whole: making a stream flow costs more than all its bytes. */
  #readWhole(body: Readable): void {
    for (let part = body.read(); part !== null && !this.#isStopped; part = body.read()) this.#receiver.onBodyPart(part);
    if (!this.#isStopped) this.#receiver.onBodyEnd();
  }

  readonly #onData = (bytes: Uint8Array): void => {
    if (this.#receiver.onBodyPart(bytes) || this.#body instanceof Uint8Array) return;
    this.#body.pause();
  };

  readonly #onEnd = (): void => this.#receiver.onBodyEnd();

  readonly #onError = (error: Error): void => this.#receiver.onBodyFailed(error);
}
