import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../kernel/clock.ts";
import type { Logger } from "../../../kernel/logger.ts";
import { readInstanceDirectory, removeInstanceDirectory } from "./instance-directory.ts";
import { listenerOf } from "./launch-environment.ts";
import { type ProcessRow, readBootId, readEnvironment, readProcesses } from "./process-table.ts";

const roundsMax = 200;
const roundMs = 10;

/**
 * Ends what instances of an earlier server still run and removes their directories. A pid alone is never believed:
 * a process is ended when its environment names the socket of one of the instances, or when it belongs to the session
 * of a leader whose start time is the recorded one.
 */
export async function endLeftovers(deps: {
  readonly instancesDirectory: string;
  readonly clock: Clock;
  readonly logger: Logger;
}): Promise<void> {
  const names = await readdir(deps.instancesDirectory);
  const left = await Promise.all(names.map((name) => readInstanceDirectory(join(deps.instancesDirectory, name))));
  if (left.length === 0) return;
  const bootId = readBootId();
  const known: Known = {
    listeners: new Set(left.map(({ directory }) => `FN_LISTENER=${listenerOf(directory.socketDirectory)}`)),
    startTicks: new Map(
      left.flatMap(({ record }) =>
        record !== undefined && record.bootId === bootId ? [[record.pid, record.startTicks]] : [],
      ),
    ),
  };
  for (let round = 0; round < roundsMax; round++) {
    const pids = leftoversAmong(readProcesses(), known);
    if (pids.length === 0) break;
    if (round === 0) deps.logger.warn("ending what an earlier server left running", { pids });
    for (const pid of pids) kill(pid);
    await deps.clock.sleep(roundMs);
  }
  await Promise.all(left.map(({ directory }) => removeInstanceDirectory(directory)));
}

interface Known {
  /** Entries of the environment that only these instances have. */
  readonly listeners: ReadonlySet<string>;
  /** Of the recorded processes of this boot, by pid. */
  readonly startTicks: ReadonlyMap<number, number>;
}

function leftoversAmong(rows: readonly ProcessRow[], { listeners, startTicks }: Known): readonly number[] {
  const leaders = new Set(rows.filter((row) => startTicks.get(row.pid) === row.startTicks).map((row) => row.pid));
  return rows
    .filter((row) => !row.isZombie)
    .filter((row) => leaders.has(row.session) || readEnvironment(row.pid).some((entry) => listeners.has(entry)))
    .map((row) => row.pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It ended by itself meanwhile.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
