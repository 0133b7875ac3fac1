import { statfsSync } from "node:fs";

export interface DiskRoom {
  /** Of the file system that holds the database. */
  readonly bytes: number;
  readonly freeBytes: number;
}

/** Asked before each commit: it takes a microsecond, a commit hundreds. */
export type ReadRoom = () => DiskRoom;

/** Of what the owner of `directory`, not root, may use. */
export function roomOf(directory: string): ReadRoom {
  return () => {
    const { bsize, blocks, bavail } = statfsSync(directory);
    return { bytes: bsize * blocks, freeBytes: bsize * bavail };
  };
}
