import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { blockBytes, type PayloadFacts, readBlock } from "./payload-file.ts";

export interface ByteRange {
  readonly start: number;
  /** Not included. */
  readonly end: number;
}

/**
 * Streams a range block by block; each block is verified before any byte of it is given out. The first one is verified
 * before this resolves, so that damage there is an answer that says no rather than a broken one. Owns `handle` once it
 * resolves; holds at most two blocks of memory.
 */
export async function streamPayload(handle: FileHandle, facts: PayloadFacts, range: ByteRange): Promise<Readable> {
  const lastIndex = Math.ceil(range.end / blockBytes) - 1;
  let index = Math.floor(range.start / blockBytes);
  let ahead = range.start < range.end ? await readBlock(handle, facts, index) : undefined;

  const next = async (): Promise<Uint8Array | null> => {
    if (index > lastIndex || range.start >= range.end) return null;
    const block = ahead ?? (await readBlock(handle, facts, index));
    ahead = undefined;
    const blockStart = index * blockBytes;
    index++;
    return block.subarray(Math.max(0, range.start - blockStart), range.end - blockStart);
  };
  return new Readable({
    highWaterMark: 1,
    read() {
      next().then(
        (bytes) => this.push(bytes),
        (error: Error) => this.destroy(error),
      );
    },
    destroy(error, done) {
      handle.close().then(
        () => done(error),
        (closeError: Error) => done(error ?? closeError),
      );
    },
  });
}
