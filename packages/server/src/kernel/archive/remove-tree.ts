import { chmod, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Removes a directory with everything in it, read-only folders included. Absent is fine. */
export async function removeTree(directory: string): Promise<void> {
  await makeWritable(directory);
  await rm(directory, { recursive: true, force: true });
}

/** What is in a read-only folder can be removed only by the superuser. */
async function makeWritable(directory: string): Promise<void> {
  try {
    await chmod(directory, 0o700);
    for (const entry of await readdir(directory, { withFileTypes: true }))
      if (entry.isDirectory()) await makeWritable(join(directory, entry.name));
  } catch (error) {
    // Gone meanwhile, or never there: then there is nothing to make writable.
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
