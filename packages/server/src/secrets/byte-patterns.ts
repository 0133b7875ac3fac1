/** Patterns shorter than this are not looked for. */
export const patternBytesMin = 4;
const mark = Buffer.from("[secret]");

/** Many strings of bytes, found and hidden in one pass, longest first. */
export class BytePatterns {
  /** By their first four bytes. */
  readonly #byStart = new Map<number, Buffer[]>();
  /** 1 where a pattern begins with these two bytes: rules out nearly every place of a text at once. */
  readonly #starts = new Uint8Array(2 ** 16);

  constructor(patterns: Iterable<Buffer>) {
    for (const pattern of patterns) {
      if (pattern.length < patternBytesMin) continue;
      this.#starts[pattern.readUInt16BE(0)] = 1;
      const start = pattern.readInt32BE(0);
      const known = this.#byStart.get(start);
      if (known === undefined) this.#byStart.set(start, [pattern]);
      else known.push(pattern);
    }
    for (const known of this.#byStart.values()) known.sort((one, other) => other.length - one.length);
  }

  /**
   * Puts one mark in place of each pattern; patterns that overlap are hidden whole, under one mark. Of bytes that may have
   * been cut, an end that begins a pattern is hidden too. Gives the same bytes back when there is nothing to hide.
   */
  hide(bytes: Uint8Array, { isMaybeCut }: { readonly isMaybeCut: boolean }): Uint8Array {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const shown: Uint8Array[] = [];
    let hiddenTo = 0;
    for (let at = 0; at + patternBytesMin <= text.length; at++) {
      if (this.#starts[((text[at] ?? 0) << 8) | (text[at + 1] ?? 0)] === 0) continue;
      const length = this.#longestAt(text, at, isMaybeCut);
      if (length === 0) continue;
      if (at >= hiddenTo) shown.push(text.subarray(hiddenTo, at), mark);
      hiddenTo = Math.max(hiddenTo, at + length);
    }
    return shown.length === 0 ? bytes : Buffer.concat([...shown, text.subarray(hiddenTo)]);
  }

  #longestAt(text: Buffer, at: number, isMaybeCut: boolean): number {
    const rest = text.length - at;
    for (const pattern of this.#byStart.get(text.readInt32BE(at)) ?? []) {
      if (pattern.length > rest && !isMaybeCut) continue;
      const length = Math.min(pattern.length, rest);
      if (pattern.compare(text, at, at + length, 0, length) === 0) return length;
    }
    return 0;
  }
}
