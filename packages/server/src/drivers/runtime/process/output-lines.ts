import type { OutputLine } from "../driver.ts";

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Cuts a stream of bytes into lines. Holds at most `bytesMax` bytes, however long a line is: the rest is dropped. */
export class LineSplitter {
  readonly #stream: OutputLine["stream"];
  readonly #bytesMax: number;
  readonly #onLine: (line: OutputLine) => void;
  #held: Uint8Array = new Uint8Array();
  /** The current line was given out cut; what follows of it is dropped. */
  #isDropping = false;

  constructor(options: {
    readonly stream: OutputLine["stream"];
    readonly bytesMax: number;
    readonly onLine: (line: OutputLine) => void;
  }) {
    this.#stream = options.stream;
    this.#bytesMax = options.bytesMax;
    this.#onLine = options.onLine;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      this.#take(chunk.subarray(start, end));
      this.#endLine();
      start = end + 1;
    }
    if (start < chunk.byteLength) this.#take(chunk.subarray(start));
  }

  /** Gives out what came after the last line feed as a line of its own. */
  flush(): void {
    if (this.#held.byteLength > 0) this.#emit(this.#held, false);
    this.#held = new Uint8Array();
  }

  #take(piece: Uint8Array): void {
    if (this.#isDropping) return;
    const room = this.#bytesMax - this.#held.byteLength;
    // A copy: a view would keep the whole chunk in memory for as long as the line is kept.
    this.#held = Buffer.concat([this.#held, piece.subarray(0, room)]);
    if (piece.byteLength <= room) return;
    this.#emit(this.#held, true);
    this.#held = new Uint8Array();
    this.#isDropping = true;
  }

  #endLine(): void {
    if (!this.#isDropping) {
      const line = this.#held;
      this.#emit(line.at(-1) === carriageReturn ? line.subarray(0, -1) : line, false);
    }
    this.#held = new Uint8Array();
    this.#isDropping = false;
  }

  #emit(bytes: Uint8Array, isCut: boolean): void {
    this.#onLine({ stream: this.#stream, bytes: new Uint8Array(bytes), isCut });
  }
}
