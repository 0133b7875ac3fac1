import { mkdtemp, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { ArchiveRefused } from "./archive-refused.ts";
import type { ArchiveThreads } from "./archive-threads.ts";
import type { ArchiveLimits } from "./archive-tree.ts";
import type { ArchiveSummary } from "./archive-worker.ts";
import { removeTree } from "./remove-tree.ts";

export interface ArchiveSource {
  /** Path of a gzipped tar, or its bytes; a stream is consumed or destroyed. */
  readonly source: string | Readable;
  /** Which read it. */
  readonly threads: ArchiveThreads;
  readonly limits: ArchiveLimits;
  /** Hexadecimal; other bytes are refused as damaged. */
  readonly sha256?: string;
}

/** Names that start so, beside the target, belong to an unpacking that has not finished (or never will, after a crash). */
export const unpackingPrefix = ".unpacking-";

/**
 * Unpacks a gzipped tar to `directory`, which must not exist: it appears whole and read-only, or not at all.
 * Runs in another thread. Only plain files, folders and symbolic links that stay inside are taken; set-uid, owner
 * and times are not. Throws ArchiveRefused for an archive that is not acceptable, and the source's own error.
 * An abort ends the thread and leaves nothing behind.
 */
export async function unpackArchive(
  from: ArchiveSource & { readonly directory: string },
  signal: AbortSignal,
): Promise<ArchiveSummary> {
  const partial = await mkdtemp(join(dirname(from.directory), unpackingPrefix));
  try {
    const summary = await readInThread(from, partial, signal);
    await rename(partial, from.directory);
    return summary;
  } catch (error) {
    await removeTree(partial);
    throw error;
  }
}

/** Checks an archive exactly as `unpackArchive` does, without writing anything. */
export function inspectArchive(from: ArchiveSource, signal: AbortSignal): Promise<ArchiveSummary> {
  return readInThread(from, undefined, signal);
}

async function readInThread(
  from: ArchiveSource,
  directory: string | undefined,
  signal: AbortSignal,
): Promise<ArchiveSummary> {
  if (signal.aborted && from.source instanceof Readable) from.source.destroy();
  signal.throwIfAborted();
  const { limits, sha256 } = from;
  const source = typeof from.source === "string" ? from.source : Readable.toWeb(from.source);
  try {
    const reply = await from.threads.run({ directory, limits, sha256 }, source, signal);
    if (reply.kind === "refused") throw new ArchiveRefused(reply.refusal);
    return reply.summary;
  } catch (error) {
    // The thread knows only a copy of the stream's error.
    if (from.source instanceof Readable && from.source.errored !== null && !signal.aborted) throw from.source.errored;
    throw error;
  } finally {
    if (from.source instanceof Readable) from.source.destroy();
  }
}
