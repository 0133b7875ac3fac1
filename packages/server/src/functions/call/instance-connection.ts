// Hot path: ARCHITECTURE, hot-path rules
import type { Duplex } from "node:stream";
import type { TurnEnd } from "../../kernel/turn-end.ts";
import type { AnswerHead } from "./answer-head.ts";
import { type AnswerBroken, type AnswerEvents, AnswerParser } from "./answer-parser.ts";

/** Whoever asked, told what the instance answers. After `onEnd` or `onBroken` nothing more comes. */
export interface AnswerReceiver {
  onHead(head: AnswerHead): void;
  onBody(bytes: Buffer): void;
  /** Everything that was read at once has been told: what is held back to be sent together can go. */
  onReadDone(): void;
  onEnd(): void;
  onBroken(broken: ConnectionBroken): void;
  /** The request may be written again after `write` said false. */
  onDrain(): void;
}

export type ConnectionBroken = AnswerBroken | { readonly kind: "closed"; readonly reason: string };

/** A request is held until the end of the turn, so that a small one is a single write among those of others. */
const pendingCharactersMax = 16 * 1024;
const inlineBytesMax = 4 * 1024;

/**
 * One keep-alive HTTP/1.1 connection to an instance, one request at a time. The request is always chunked; what the
 * instance says about framing ends here. It owns the stream: a connection that is not reusable is destroyed.
 */
export class InstanceConnection implements AnswerEvents {
  /** Monotonic time of the last answer's end; set by the owner. */
  idleSinceMs = 0;
  /** It was lost because the instance sent what nobody asked for. */
  sentExcess = false;
  readonly #stream: Duplex;
  readonly #parser: AnswerParser;
  readonly #onLost: (connection: InstanceConnection) => void;
  readonly #turnEnd: TurnEnd;
  #receiver: AnswerReceiver | undefined;
  /** The part of the request that is not yet written, in latin1. */
  #pending = "";
  #isFlushDue = false;
  #isRequestWhole = true;
  #keepsAlive = true;
  #isPaused = false;
  #isLost = false;

  /** `onLost` is called once when an idle connection ends or the instance sends what nobody asked for. */
  constructor(
    stream: Duplex,
    options: { readonly turnEnd: TurnEnd; readonly onLost: (connection: InstanceConnection) => void },
  ) {
    this.#stream = stream;
    this.#onLost = options.onLost;
    this.#turnEnd = options.turnEnd;
    this.#parser = new AnswerParser(this);
    stream.on("data", this.#onData);
    stream.on("drain", this.#onDrain);
    stream.on("end", () => this.#lose("it closed the connection"));
    stream.on("error", (error: Error) => this.#lose(`the connection failed (${errorCode(error)})`));
    stream.on("close", () => this.#lose("it closed the connection"));
  }

  /** Another request may be sent: the last one and its answer are whole and nothing more came. */
  get isReusable(): boolean {
    return !this.#isLost && this.#keepsAlive && this.#isRequestWhole && !this.#parser.isReading;
  }

  /** Sends the head of a request (`POST … \r\n\r\n`, chunked); its answer goes to `receiver`. */
  begin(head: string, receiver: AnswerReceiver): void {
    this.#receiver = receiver;
    this.#isRequestWhole = false;
    this.#parser.expectAnswer();
    this.#append(head);
  }

  /** Sends a part of the body; false: wait for `onDrain`. */
  write(bytes: Uint8Array): boolean {
    if (bytes.length === 0) return true;
    const size = `${bytes.length.toString(16)}\r\n`;
    if (bytes.length <= inlineBytesMax) {
      // Small parts join the head as text: one write of one string is cheaper than gathering buffers.
      this.#append(`${size}${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")}\r\n`);
      return !this.#stream.writableNeedDrain;
    }
    this.#stream.cork();
    this.#append(size);
    this.#flush();
    this.#stream.write(bytes);
    const hasRoom = this.#stream.write("\r\n", "latin1");
    this.#stream.uncork();
    return hasRoom;
  }

  end(): void {
    this.#isRequestWhole = true;
    this.#append("0\r\n\r\n");
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#stream.pause();
  }

  /** A paused stream in the idle pool would hang the next call, so the end of an answer resumes too. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#stream.resume();
  }

  /** Ends the connection; the receiver is told nothing more. */
  destroy(): void {
    this.#receiver = undefined;
    this.#isLost = true;
    this.#parser.stop();
    this.#stream.destroy();
  }

  onHead(head: AnswerHead): void {
    this.#keepsAlive = head.keepsAlive;
    this.#receiver?.onHead(head);
  }

  onBody(bytes: Buffer): void {
    this.#receiver?.onBody(bytes);
  }

  onEnd(): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    this.resume();
    receiver?.onEnd();
  }

  onExcess(): void {
    this.sentExcess = true;
    this.#lose("it sent more than one answer");
  }

  onBroken(broken: AnswerBroken): void {
    const receiver = this.#receiver;
    this.destroy();
    receiver?.onBroken(broken);
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#parser.push(bytes);
    this.#receiver?.onReadDone();
  };

  readonly #onDrain = (): void => {
    this.#receiver?.onDrain();
  };

  #append(text: string): void {
    this.#pending += text;
    if (this.#pending.length >= pendingCharactersMax) this.#flush();
    else if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      this.#turnEnd.add(this.#flushDue);
    }
  }

  readonly #flushDue = (): void => {
    this.#isFlushDue = false;
    this.#flush();
  };

  #flush(): void {
    if (this.#pending === "" || this.#isLost) return;
    const text = this.#pending;
    this.#pending = "";
    this.#stream.write(text, "latin1");
  }

  #lose(reason: string): void {
    if (this.#isLost) return;
    const receiver = this.#receiver;
    this.destroy();
    if (receiver !== undefined) receiver.onBroken({ kind: "closed", reason });
    else this.#onLost(this);
  }
}

function errorCode(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}
