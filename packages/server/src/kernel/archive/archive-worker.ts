import { chmodSync, closeSync, createReadStream, mkdirSync, openSync, symlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { parentPort } from "node:worker_threads";
import { ArchiveRefused, type Refusal } from "./archive-refused.ts";
import type { ArchiveLimits, ArchiveNode, ArchiveTree } from "./archive-tree.ts";
import { readArchive } from "./read-archive.ts";

/** What `ArchiveThreads` sends to a thread; it answers with one reply, then takes the next. */
export interface ArchiveTask {
  readonly source: string | ReadableStream<Uint8Array>;
  /** An empty directory; undefined: only look. */
  readonly directory: string | undefined;
  readonly limits: ArchiveLimits;
  readonly sha256: string | undefined;
}

export type ArchiveReply =
  | { readonly kind: "read"; readonly summary: ArchiveSummary }
  | { readonly kind: "refused"; readonly refusal: Refusal };

export interface ArchiveSummary {
  /** Files, folders and links. */
  readonly entries: number;
  /** Of the unpacked tar, headers included. */
  readonly bytes: number;
}

async function perform({ source, directory, limits, sha256 }: ArchiveTask): Promise<ArchiveReply> {
  const readable = typeof source === "string" ? createReadStream(source) : Readable.fromWeb(source);
  try {
    const { tree, bytes } = await readArchive({
      source: readable,
      limits,
      sha256,
      onNode: async (node, content) => {
        if (directory !== undefined) await write(directory, node, content);
      },
    });
    if (directory !== undefined) finish(directory, tree);
    return { kind: "read", summary: { entries: tree.size, bytes } };
  } catch (error) {
    if (error instanceof ArchiveRefused) return { kind: "refused", refusal: error.refusal };
    throw error;
  }
}

/** Synchronous writes: this thread has nothing else to do. No link exists yet, so no path can lead elsewhere. */
async function write(directory: string, node: ArchiveNode, content: AsyncIterable<Uint8Array>): Promise<void> {
  const path = join(directory, node.path);
  if (node.kind === "folder") {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    return;
  }
  mkdirSync(join(path, ".."), { recursive: true, mode: 0o755 });
  const isExecutable = node.kind === "file" && node.isExecutable;
  // Set-uid, set-gid and write bits of the archive never reach the disk.
  const file = openSync(path, "wx", isExecutable ? 0o555 : 0o444);
  try {
    for await (const chunk of content) {
      for (let written = 0; written < chunk.byteLength; ) written += writeSync(file, chunk, written);
    }
  } finally {
    closeSync(file);
  }
}

function finish(directory: string, tree: ArchiveTree): void {
  for (const link of tree.links()) {
    const path = join(directory, link.path);
    mkdirSync(join(path, ".."), { recursive: true, mode: 0o755 });
    symlinkSync(link.target, path);
  }
  for (const folder of [...tree.folders()].reverse()) chmodSync(join(directory, folder), 0o555);
  chmodSync(directory, 0o555);
}

// A task that fails in an unforeseen way ends the thread, and its error reaches whoever asked.
parentPort?.on("message", async (task: ArchiveTask) => parentPort?.postMessage(await perform(task)));
