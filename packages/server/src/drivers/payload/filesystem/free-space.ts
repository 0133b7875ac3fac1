import { statfs } from "node:fs/promises";
import { Problem } from "@chaya/contract";

export interface Space {
  readonly bytes: number;
  readonly freeBytes: number;
}

/** Reads how much room there is. */
export type ReadSpace = () => Promise<Space>;

/** The file system that holds `directory`, as its owner (not root) may use it. */
export function spaceOf(directory: string): ReadSpace {
  return async () => {
    const { bsize, blocks, bavail } = await statfs(directory);
    return { bytes: blocks * bsize, freeBytes: bavail * bsize };
  };
}

export function hasRoom(space: Space, freeShareMin: number): boolean {
  return space.freeBytes >= space.bytes * freeShareMin;
}

/** Throws `storage-full` while less than `freeShareMin` of the disk is free. */
export async function requireRoom(readSpace: ReadSpace, freeShareMin: number): Promise<void> {
  const space = await readSpace();
  if (!hasRoom(space, freeShareMin)) throw new Problem("storage-full", { freeBytes: space.freeBytes });
}
