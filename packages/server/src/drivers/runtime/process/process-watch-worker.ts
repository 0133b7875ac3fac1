import { statfsSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { type ProcessRow, readEnvironment, readMemoryBytes, readProcesses } from "./process-table.ts";

/** What `ProcessWatch` asks its thread. */
export type WatchRequest = { readonly id: number } & (LookRequest | FindRequest);

export interface LookRequest {
  readonly kind: "look";
  readonly groups: readonly number[];
  /** Inside the instances: their files are memory. */
  readonly memoryDirectories: readonly string[];
}

export interface FindRequest {
  readonly kind: "find";
  /** Of the environment, `NAME=value`. */
  readonly entry: string;
}

export interface WatchReply {
  readonly id: number;
  readonly uses: readonly GroupUse[];
  readonly pids: readonly number[];
}

export interface GroupUse {
  readonly group: number;
  /** Processes that run; zombies do not. */
  readonly liveCount: number;
  readonly memoryBytes: number;
}

/** What the kernel keeps for a file beside its content: an inode and its name. */
const inodeBytes = 1024;

function look({ groups, memoryDirectories }: LookRequest): readonly GroupUse[] {
  const rows = readProcesses();
  const membersOf = groupMembers(rows, new Set(groups));
  return groups.map((group) => {
    const members = membersOf.get(group) ?? [];
    // Where nothing can be seen, nothing is known to be gone.
    const liveCount = rows.length === 0 ? 1 : members.length;
    const processBytes = members.reduce((sum, { pid }) => sum + readMemoryBytes(pid), 0);
    return { group, liveCount, memoryBytes: processBytes + directoryBytes(members, memoryDirectories) };
  });
}

/** By group: its processes that run, those of its leader's session, and whatever descends from them. */
function groupMembers(
  rows: readonly ProcessRow[],
  groups: ReadonlySet<number>,
): ReadonlyMap<number, readonly ProcessRow[]> {
  const byPid = new Map(rows.map((row) => [row.pid, row]));
  const known = new Map<number, number | undefined>();
  const groupOf = (row: ProcessRow | undefined): number | undefined => {
    if (row === undefined) return undefined;
    if (known.has(row.pid)) return known.get(row.pid);
    // Against a circle, which rows that were read one after the other may seem to make.
    known.set(row.pid, undefined);
    const own = [row.group, row.session].find((number) => groups.has(number));
    const group = own ?? groupOf(byPid.get(row.parent));
    known.set(row.pid, group);
    return group;
  };
  const members = new Map<number, ProcessRow[]>();
  for (const row of rows) {
    const group = row.isZombie ? undefined : groupOf(row);
    if (group === undefined) continue;
    const of = members.get(group) ?? [];
    of.push(row);
    members.set(group, of);
  }
  return members;
}

/** They are looked at through the eyes of the youngest process, which is inside for certain. */
function directoryBytes(members: readonly ProcessRow[], directories: readonly string[]): number {
  const inside = members.reduce((last, row) => Math.max(last, row.pid), 0);
  if (inside === 0) return 0;
  return directories.reduce((sum, directory) => sum + fileSystemBytes(`/proc/${inside}/root${directory}`), 0);
}

function fileSystemBytes(path: string): number {
  try {
    const { blocks, bfree, bsize, files, ffree } = statfsSync(path);
    return (blocks - bfree) * bsize + (files - ffree) * inodeBytes;
  } catch {
    // The process has ended.
    return 0;
  }
}

function find({ entry }: FindRequest): readonly number[] {
  return readProcesses()
    .filter(({ pid, isZombie }) => !isZombie && readEnvironment(pid).includes(entry))
    .map(({ pid }) => pid);
}

parentPort?.on("message", (request: WatchRequest) => {
  const reply: WatchReply = {
    id: request.id,
    uses: request.kind === "look" ? look(request) : [],
    pids: request.kind === "find" ? find(request) : [],
  };
  parentPort?.postMessage(reply);
});
