import type { FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { Problem } from "@chaya/contract";
import type { Payload } from "../driver.ts";

/**
 * One file per payload: the bytes, then one CRC32 per block, then a footer that describes and checks all of it. The
 * footer stands at the end because digests are known last, so a file that was cut short has none. Little endian:
 *
 *     0 id (26 characters) · 26 version · 28 bytes per block · 32 bytes · 40 written at (ms) · 48 sha256 · 80 md5 ·
 *     96 CRC32 of the block checksums and of this footer up to here · 100 magic
 */
export const blockBytes = 2 ** 20;
const footerBytes = 108;
const footerCheckedBytes = 96;
const checksumBytes = 4;
const version = 1;
const magic = Buffer.from("CHAYAPAY", "latin1");
/** Holds the whole trailer of a payload up to about a gigabyte, so that one read finds it. */
const tailBytes = 4096;

/** What a payload's file says of itself, verified. */
export interface PayloadFacts extends Payload {
  /** CRC32 of each block, in order. */
  readonly checksums: readonly number[];
}

/** What follows the bytes of a payload in its file. */
export function encodeTrailer(facts: PayloadFacts): Buffer {
  const trailer = Buffer.alloc(facts.checksums.length * checksumBytes + footerBytes);
  facts.checksums.forEach((checksum, index) => {
    trailer.writeUInt32LE(checksum, index * checksumBytes);
  });
  const footer = trailer.subarray(trailer.length - footerBytes);
  footer.write(facts.id, 0, "latin1");
  footer.writeUInt16LE(version, 26);
  footer.writeUInt32LE(blockBytes, 28);
  footer.writeBigUInt64LE(BigInt(facts.bytes), 32);
  footer.writeBigUInt64LE(BigInt(facts.writtenAtMs), 40);
  footer.write(facts.sha256, 48, "hex");
  footer.write(facts.md5, 80, "hex");
  footer.writeUInt32LE(crc32(trailer.subarray(0, trailer.length - footerBytes + footerCheckedBytes)), 96);
  magic.copy(footer, 100);
  return trailer;
}

/** Reads and verifies the trailer. Throws `payload-damaged` when anything about it is wrong. */
export async function readFacts(handle: FileHandle, id: string): Promise<PayloadFacts> {
  const { size } = await handle.stat();
  const tail = await readExactly(handle, Math.max(0, size - tailBytes), Math.min(size, tailBytes));
  if (tail === undefined || tail.length < footerBytes) throw new Problem("payload-damaged", { payload: id });
  const bytes = Number(tail.readBigUInt64LE(tail.length - footerBytes + 32));
  const trailerBytes = Math.ceil(bytes / blockBytes) * checksumBytes + footerBytes;
  if (bytes + trailerBytes !== size) throw new Problem("payload-damaged", { payload: id });
  const trailer =
    trailerBytes <= tail.length
      ? tail.subarray(tail.length - trailerBytes)
      : await readExactly(handle, bytes, trailerBytes);
  const facts = trailer === undefined ? undefined : parseTrailer(trailer);
  if (facts?.id !== id) throw new Problem("payload-damaged", { payload: id });
  return facts;
}

/** A trailer whose length fits its number of bytes; undefined when its checksum says it is not what was written. */
function parseTrailer(trailer: Buffer): PayloadFacts | undefined {
  const footer = trailer.subarray(trailer.length - footerBytes);
  const checked = trailer.subarray(0, trailer.length - footerBytes + footerCheckedBytes);
  if (!footer.subarray(100).equals(magic) || footer.readUInt32LE(96) !== crc32(checked)) return undefined;
  if (footer.readUInt16LE(26) !== version || footer.readUInt32LE(28) !== blockBytes) return undefined;
  const checksums: number[] = [];
  for (let at = 0; at < trailer.length - footerBytes; at += checksumBytes) checksums.push(trailer.readUInt32LE(at));
  return {
    id: footer.toString("latin1", 0, 26),
    bytes: Number(footer.readBigUInt64LE(32)),
    writtenAtMs: Number(footer.readBigUInt64LE(40)),
    sha256: footer.toString("hex", 48, 80),
    md5: footer.toString("hex", 80, 96),
    checksums,
  };
}

/** Reads one block whole. Throws `payload-damaged` when it is not the block that was written. */
export async function readBlock(handle: FileHandle, facts: PayloadFacts, index: number): Promise<Buffer> {
  const start = index * blockBytes;
  const block = await readExactly(handle, start, Math.min(blockBytes, facts.bytes - start));
  if (block === undefined || crc32(block) !== facts.checksums[index]) {
    throw new Problem("payload-damaged", { payload: facts.id });
  }
  return block;
}

/** `bytes` bytes from `start`; undefined when the file ends before. */
async function readExactly(handle: FileHandle, start: number, bytes: number): Promise<Buffer | undefined> {
  const buffer = Buffer.allocUnsafe(bytes);
  let filled = 0;
  while (filled < bytes) {
    const { bytesRead } = await handle.read(buffer, filled, bytes - filled, start + filled);
    if (bytesRead === 0) return undefined;
    filled += bytesRead;
  }
  return buffer;
}
