import type { FileHandle } from "node:fs/promises";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Problem } from "@chaya/contract";
import type { Payload, WriteOptions } from "../driver.ts";
import { interruptible } from "../interruptible.ts";
import { PayloadDigests } from "./payload-digests.ts";
import { isFileError, type PayloadDirectories, syncDirectory } from "./payload-directories.ts";
import { blockBytes, encodeTrailer, type PayloadFacts } from "./payload-file.ts";

/** A step of a write that changes the disk. Tests fail or end the process at each of them. */
export type DurableStep = "create" | "write" | "sync" | "rename" | "sync-directory";

export interface WritePayload extends WriteOptions {
  readonly id: string;
  readonly directories: PayloadDirectories;
  /** Called before each step; what it throws fails the step. */
  readonly beforeStep: (step: DurableStep) => void;
  /** Called at the start and after every 16 MiB; throws `storage-full`. */
  readonly requireRoom: () => Promise<void>;
  readonly nowMs: () => number;
}

const roomCheckedEveryBytes = 16 * blockBytes;
/** Smaller chunks are gathered: a write to the disk costs more than a copy. */
const gatheredBytes = 128 * 1024;
const renamesMax = 3;

/**
 * Writes a payload beside its place, syncs it, moves it to its place and syncs the directory. Until the move the place
 * is empty; when anything fails nothing remains.
 */
export async function writePayload(source: AsyncIterable<Uint8Array>, options: WritePayload): Promise<Payload> {
  await options.requireRoom();
  const path = options.directories.incomingPathOf(options.id);
  try {
    const facts = await writeIncoming(path, source, options);
    await moveToPlace(path, options);
    const { checksums: _, ...payload } = facts;
    return payload;
  } catch (error) {
    await rm(path, { force: true });
    await rm(options.directories.pathOf(options.id), { force: true });
    if (isFileError(error, "ENOSPC", "EDQUOT")) throw new Problem("storage-full", { freeBytes: 0 }, { cause: error });
    throw error;
  }
}

async function writeIncoming(
  path: string,
  source: AsyncIterable<Uint8Array>,
  options: WritePayload,
): Promise<PayloadFacts> {
  options.beforeStep("create");
  await using handle = await open(path, "wx", 0o600);
  const digests = new PayloadDigests();
  const pending = new PendingChunks(handle, options.beforeStep);
  let roomCheckedAtBytes = 0;
  for await (const chunk of options.signal === undefined ? source : interruptible(source, options.signal)) {
    digests.update(chunk);
    if (digests.bytes > options.bytesMax) throw new Problem("body-too-large", { bytesMax: options.bytesMax });
    if (digests.bytes - roomCheckedAtBytes >= roomCheckedEveryBytes) {
      roomCheckedAtBytes = digests.bytes;
      await options.requireRoom();
    }
    await pending.add(chunk);
  }
  const facts = { id: options.id, writtenAtMs: options.nowMs(), ...digests.finish() };
  await pending.add(encodeTrailer(facts));
  await pending.flush();
  options.beforeStep("sync");
  await handle.datasync();
  return facts;
}

async function moveToPlace(path: string, options: WritePayload): Promise<void> {
  const place = options.directories.pathOf(options.id);
  for (let attempt = 1; ; attempt++) {
    options.beforeStep("rename");
    try {
      await rename(path, place);
      break;
    } catch (error) {
      // The directory is missing: the first payload of these minutes, or it was found empty and removed meanwhile.
      if (!isFileError(error, "ENOENT") || attempt === renamesMax) throw error;
      await options.directories.makeDirectoryOf(options.id);
    }
  }
  options.beforeStep("sync-directory");
  await syncDirectory(dirname(place));
}

class PendingChunks {
  readonly #handle: FileHandle;
  readonly #beforeStep: WritePayload["beforeStep"];
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(handle: FileHandle, beforeStep: WritePayload["beforeStep"]) {
    this.#handle = handle;
    this.#beforeStep = beforeStep;
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= gatheredBytes) await this.flush();
  }

  async flush(): Promise<void> {
    const [first] = this.#chunks;
    const whole = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks, this.#bytes);
    this.#chunks = [];
    this.#bytes = 0;
    for (let written = 0; written < whole.length; ) {
      this.#beforeStep("write");
      written += (await this.#handle.write(whole, written)).bytesWritten;
    }
  }
}
