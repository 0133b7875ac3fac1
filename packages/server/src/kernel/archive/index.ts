export { ArchiveRefused } from "./archive-refused.ts";
export { ArchiveThreads } from "./archive-threads.ts";
export type { ArchiveLimits } from "./archive-tree.ts";
export { removeTree } from "./remove-tree.ts";
export { inspectArchive, unpackArchive, unpackingPrefix } from "./unpack-archive.ts";
