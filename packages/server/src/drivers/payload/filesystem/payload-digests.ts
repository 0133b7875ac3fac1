import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { blockBytes } from "./payload-file.ts";

/** Digests of bytes that pass by: sha256 and md5 of all, CRC32 of each block. */
export class PayloadDigests {
  readonly #sha256 = createHash("sha256");
  readonly #md5 = createHash("md5");
  readonly #checksums: number[] = [];
  #blockChecksum = 0;
  #blockFilled = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  update(chunk: Uint8Array): void {
    this.#sha256.update(chunk);
    this.#md5.update(chunk);
    this.#bytes += chunk.length;
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + blockBytes - this.#blockFilled);
      this.#blockChecksum = crc32(part, this.#blockChecksum);
      this.#blockFilled += part.length;
      at += part.length;
      if (this.#blockFilled === blockBytes) this.#endBlock();
    }
  }

  /** Call once, at the end. */
  finish(): { readonly bytes: number; readonly sha256: string; readonly md5: string; readonly checksums: number[] } {
    if (this.#blockFilled > 0) this.#endBlock();
    return {
      bytes: this.#bytes,
      sha256: this.#sha256.digest("hex"),
      md5: this.#md5.digest("hex"),
      checksums: this.#checksums,
    };
  }

  #endBlock(): void {
    this.#checksums.push(this.#blockChecksum);
    this.#blockChecksum = 0;
    this.#blockFilled = 0;
  }
}
