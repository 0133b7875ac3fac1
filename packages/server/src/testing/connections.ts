import { readdirSync, readlinkSync } from "node:fs";

/** How many connections to a database file this process has open: each holds a descriptor of it. */
export function connections(file: string): number {
  return readdirSync("/proc/self/fd").filter((descriptor) => linkOf(`/proc/self/fd/${descriptor}`) === file).length;
}

/** The descriptor that lists the others is closed by now. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
