// Hot path: ARCHITECTURE, hot-path rules
import { limits } from "@chaya/contract";

/** The first bytes of a call's body, kept until it is known whether anybody wants to inspect them. */
export class CapturedPrefix {
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;

  add(bytes: Uint8Array): void {
    const room = limits.capturedInputBytesMax - this.#bytes;
    if (room <= 0) return;
    const part = bytes.length > room ? bytes.subarray(0, room) : bytes;
    this.#parts.push(part);
    this.#bytes += part.length;
  }

  joined(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}
