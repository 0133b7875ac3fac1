import type { ProcessWatch } from "./process-watch.ts";

/**
 * Ends every process that was started with this entry in its environment, in whatever group or session it is now, until
 * there is none. One that was started with another environment is not found.
 */
export async function endMarked(watch: ProcessWatch, entry: string): Promise<void> {
  for (;;) {
    const pids = await watch.find(entry);
    if (pids.length === 0) return;
    for (const pid of pids) kill(pid);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It ended by itself meanwhile.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
