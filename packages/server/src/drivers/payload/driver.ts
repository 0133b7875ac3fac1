import type { Readable } from "node:stream";

/**
 * A payload is immutable bytes under a fresh id; a row of the store points at it. Overwriting is a new payload plus a
 * row change; what no row names any more is collected. Writing is atomic: a payload is whole and on disk, or absent.
 *
 * Who is to blame: a failing source stream rejects with its own error; `storage-full` and everything else is the
 * platform's. A block that does not match its checksum is `payload-damaged` and no byte of it is given out.
 */
export interface PayloadDriver extends AsyncDisposable {
  /** Writes everything `source` yields. Throws `body-too-large` beyond `bytesMax`; nothing remains then. */
  write(source: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<Payload>;
  /** The bytes [start, end) of a payload, verified block by block. Throws `payload-not-found`. */
  read(id: string, range?: { readonly start: number; readonly end: number }): Promise<Readable>;
  /** The facts recorded when it was written. Throws `payload-not-found`. */
  stat(id: string): Promise<Payload>;
  /** Removing what is not there is not an error. */
  remove(id: string): Promise<void>;
  /** Payloads written before `writtenBeforeMs`, in order of id, after `afterId`; for the collector. */
  list(options: {
    readonly writtenBeforeMs: number;
    readonly afterId?: string;
    readonly countMax: number;
  }): Promise<readonly Payload[]>;
  health(): Promise<{ readonly bytes: number; readonly freeBytes: number; readonly isWritable: boolean }>;
}

export interface WriteOptions {
  readonly bytesMax: number;
  readonly signal?: AbortSignal;
}

export interface Payload {
  readonly id: string;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
  /** Hexadecimal. */
  readonly md5: string;
  readonly writtenAtMs: number;
}
