import { parentPort } from "node:worker_threads";
import { readMemoryBytes, readProcesses } from "./process-table.ts";

/** What `ProcessWatch` asks its thread. */
export interface LookRequest {
  readonly id: number;
  readonly groups: readonly number[];
}

export interface LookReply {
  readonly id: number;
  readonly uses: readonly GroupUse[];
}

export interface GroupUse {
  readonly group: number;
  /** Processes that run; zombies do not. */
  readonly liveCount: number;
  readonly memoryBytes: number;
}

function look(groups: readonly number[]): readonly GroupUse[] {
  const rows = readProcesses();
  // Where nothing can be seen, nothing is known to be gone.
  const liveCount = rows.length === 0 ? 1 : 0;
  const uses = new Map(groups.map((group) => [group, { group, liveCount, memoryBytes: 0 }]));
  for (const row of rows) {
    const use = row.isZombie ? undefined : uses.get(row.group);
    if (use === undefined) continue;
    use.liveCount++;
    use.memoryBytes += readMemoryBytes(row.pid);
  }
  return [...uses.values()];
}

parentPort?.on("message", ({ id, groups }: LookRequest) => {
  const reply: LookReply = { id, uses: look(groups) };
  parentPort?.postMessage(reply);
});
