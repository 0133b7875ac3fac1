import { constants, gzipSync } from "node:zlib";

export interface TarFile {
  /** Relative, with `/`. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly isExecutable: boolean;
}

const blockBytes = 512;
const nameBytesMax = 100;
const prefixBytesMax = 155;

/**
 * A gzipped tar (POSIX ustar, pax for long names) that depends on nothing but the files: sorted by name, no times, no
 * owners, two modes. The same files are the same bytes everywhere. Fast takes a fraction of the time for a larger one.
 */
export function gzippedTar(files: readonly TarFile[], options: { readonly isFast?: boolean } = {}): Buffer {
  const sorted = [...files].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  const level = options.isFast ? constants.Z_BEST_SPEED : constants.Z_BEST_COMPRESSION;
  const packed = gzipSync(Buffer.concat([...sorted.flatMap(fileBlocks), Buffer.alloc(2 * blockBytes)]), { level });
  // RFC 1952 §2.3.1: no modification time, and "unknown" as the system that packed.
  packed.fill(0, 4, 8);
  packed[9] = 255;
  return packed;
}

function fileBlocks(file: TarFile): Uint8Array[] {
  const split = splitPath(file.path);
  const pax = split === undefined ? paxBlocks(file.path) : [];
  const header = headerBlock({
    ...(split ?? { name: cutName(file.path), prefix: "" }),
    size: file.bytes.length,
    mode: file.isExecutable ? 0o755 : 0o644,
    type: "0",
  });
  return [...pax, header, file.bytes, padding(file.bytes.length)];
}

interface Header {
  readonly name: string;
  readonly prefix: string;
  readonly size: number;
  readonly mode: number;
  readonly type: "0" | "x";
}

function headerBlock(header: Header): Buffer {
  const block = Buffer.alloc(blockBytes);
  block.write(header.name, 0);
  block.write(octal(header.mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(header.size, 11), 124);
  block.write(octal(0, 11), 136);
  block.write("        ", 148);
  block.write(header.type, 156);
  block.write("ustar\x0000", 257);
  block.write(header.prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148);
  return block;
}

/** Name and prefix of a path that ustar can hold; undefined when it cannot. */
function splitPath(path: string): { readonly name: string; readonly prefix: string } | undefined {
  if (Buffer.byteLength(path) <= nameBytesMax) return { name: path, prefix: "" };
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
    const [prefix, name] = [path.slice(0, slash), path.slice(slash + 1)];
    if (Buffer.byteLength(prefix) > prefixBytesMax) return undefined;
    if (prefix !== "" && name !== "" && Buffer.byteLength(name) <= nameBytesMax) return { name, prefix };
  }
  return undefined;
}

/** A pax header (POSIX.1-2001): one record `LENGTH path=PATH\n`, whose length counts its own digits. */
function paxBlocks(path: string): Uint8Array[] {
  const rest = ` path=${path}\n`;
  let length = Buffer.byteLength(rest);
  while (Buffer.byteLength(`${length}${rest}`) !== length) length = Buffer.byteLength(`${length}${rest}`);
  const record = Buffer.from(`${length}${rest}`);
  return [
    headerBlock({ name: "pax", prefix: "", size: record.length, mode: 0o644, type: "x" }),
    record,
    padding(record.length),
  ];
}

/** The name that readers without pax see. */
function cutName(path: string): string {
  return Buffer.from(path)
    .subarray(0, nameBytesMax)
    .toString("latin1")
    .replaceAll(/[^ -~]/g, "_");
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

function padding(bytes: number): Uint8Array {
  return Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes);
}
