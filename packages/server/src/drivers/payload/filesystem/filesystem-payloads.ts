import type { FileHandle } from "node:fs/promises";
import { open, rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import { isProblem, limits, Problem } from "@chaya/contract";
import { assert } from "../../../kernel/assert.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { idTimeMs, isId, type NewId } from "../../../kernel/ids.ts";
import type { Logger } from "../../../kernel/logger.ts";
import type { Payload, PayloadDriver, WriteOptions } from "../driver.ts";
import { hasRoom, type ReadSpace, requireRoom, spaceOf } from "./free-space.ts";
import { isFileError, PayloadDirectories } from "./payload-directories.ts";
import { readFacts } from "./payload-file.ts";
import { type ByteRange, streamPayload } from "./read-payload.ts";
import { StoredBytes, sizeOf } from "./stored-bytes.ts";
import { type DurableStep, writePayload } from "./write-payload.ts";

export interface FilesystemPayloadDeps {
  readonly clock: Pick<Clock, "nowMs">;
  readonly ids: NewId;
  /** Told of every payload that turns out damaged. */
  readonly logger: Logger;
}

export interface FilesystemPayloadOptions {
  /** Absolute path; made when it is missing. Several servers may share it. */
  readonly directory: string;
  /** The name of this server among them; one process at a time, and what it left half written is removed at open. */
  readonly server?: string;
  /** How much room there is; the file system's own figures when absent. */
  readonly readSpace?: ReadSpace;
  /** Called before each step that changes the disk; what it throws fails the step. For tests of crashes and faults. */
  readonly beforeStep?: (step: DurableStep) => void;
}

/** Payloads as files of one directory, see README.md. */
export async function openFilesystemPayloads(
  deps: FilesystemPayloadDeps,
  options: FilesystemPayloadOptions,
): Promise<PayloadDriver> {
  const directories = new PayloadDirectories(options.directory, options.server ?? "only");
  await directories.open(deps.clock.nowMs());
  return new FilesystemPayloads(deps, options, directories);
}

class FilesystemPayloads implements PayloadDriver {
  readonly #deps: FilesystemPayloadDeps;
  readonly #directories: PayloadDirectories;
  readonly #readSpace: ReadSpace;
  readonly #beforeStep: (step: DurableStep) => void;
  readonly #storedBytes: StoredBytes;
  readonly #writes = new Set<Promise<unknown>>();
  readonly #streams = new Set<Readable>();
  #isClosed = false;

  constructor(deps: FilesystemPayloadDeps, options: FilesystemPayloadOptions, directories: PayloadDirectories) {
    this.#deps = deps;
    this.#directories = directories;
    this.#readSpace = options.readSpace ?? spaceOf(options.directory);
    this.#beforeStep = options.beforeStep ?? (() => {});
    this.#storedBytes = new StoredBytes(directories);
  }

  async write(source: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<Payload> {
    assert(!this.#isClosed, "a closed payload driver takes no more writes");
    const write = writePayload(source, {
      ...options,
      id: this.#deps.ids(),
      directories: this.#directories,
      beforeStep: this.#beforeStep,
      requireRoom: () => requireRoom(this.#readSpace, limits.diskFreeShareMin),
      nowMs: () => this.#deps.clock.nowMs(),
    });
    this.#writes.add(write);
    try {
      const payload = await write;
      this.#storedBytes.changed(payload.id, await sizeOf(this.#directories.pathOf(payload.id)));
      return payload;
    } finally {
      this.#writes.delete(write);
    }
  }

  async read(id: string, range?: ByteRange): Promise<Readable> {
    const handle = await this.#open(id);
    try {
      const facts = await readFacts(handle, id);
      const { start, end } = range ?? { start: 0, end: facts.bytes };
      assert(start >= 0 && start <= end && end <= facts.bytes, "a range lies within its payload");
      const stream = await streamPayload(handle, facts, { start, end });
      this.#streams.add(stream);
      stream.once("error", (error) => this.#reportDamage(id, error));
      stream.once("close", () => this.#streams.delete(stream));
      return stream;
    } catch (error) {
      await handle.close();
      this.#reportDamage(id, error);
      throw error;
    }
  }

  async stat(id: string): Promise<Payload> {
    await using handle = await this.#open(id);
    try {
      const { checksums: _, ...payload } = await readFacts(handle, id);
      return payload;
    } catch (error) {
      this.#reportDamage(id, error);
      throw error;
    }
  }

  async remove(id: string): Promise<void> {
    if (!isId(id)) return;
    const path = this.#directories.pathOf(id);
    const bytes = await sizeOf(path);
    await rm(path, { force: true });
    this.#storedBytes.changed(id, -bytes);
  }

  async list(options: {
    readonly writtenBeforeMs: number;
    readonly afterId?: string;
    readonly countMax: number;
  }): Promise<readonly Payload[]> {
    const payloads: Payload[] = [];
    if (options.countMax <= 0) return payloads;
    for await (const id of this.#directories.ids(options.afterId)) {
      // A payload gets its id before it is written, and ids increase with their time: none that follows is older.
      if (idTimeMs(id) >= options.writtenBeforeMs) break;
      const payload = await this.#statIfWhole(id);
      if (payload === undefined || payload.writtenAtMs >= options.writtenBeforeMs) continue;
      payloads.push(payload);
      if (payloads.length === options.countMax) break;
    }
    return payloads;
  }

  async health(): Promise<{ readonly bytes: number; readonly freeBytes: number; readonly isWritable: boolean }> {
    const space = await this.#readSpace();
    return {
      bytes: await this.#storedBytes.read(),
      freeBytes: space.freeBytes,
      isWritable: hasRoom(space, limits.diskFreeShareMin),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#writes);
    const closed = [...this.#streams].map(
      (stream) => new Promise<void>((resolve) => stream.once("close", resolve).destroy()),
    );
    await Promise.all(closed);
  }

  async #open(id: string): Promise<FileHandle> {
    if (!isId(id)) throw new Problem("payload-not-found", { payload: id });
    try {
      return await open(this.#directories.pathOf(id), "r");
    } catch (error) {
      if (isFileError(error, "ENOENT")) throw new Problem("payload-not-found", { payload: id }, { cause: error });
      throw error;
    }
  }

  /** A damaged payload is not listed: it has been reported, and what it held may still be of use to its owner. */
  async #statIfWhole(id: string): Promise<Payload | undefined> {
    try {
      return await this.stat(id);
    } catch (error) {
      if (isProblem(error, "payload-not-found") || isProblem(error, "payload-damaged")) return undefined;
      throw error;
    }
  }

  #reportDamage(id: string, error: unknown): void {
    if (isProblem(error, "payload-damaged")) this.#deps.logger.error("payload damaged", { payload: id });
  }
}
