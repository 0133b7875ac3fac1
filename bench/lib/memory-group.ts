// A machine with little memory, as far as a control group makes one.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pause } from "./tools.ts";

const root = "/sys/fs/cgroup";

export interface MemoryGroup {
  /** Put before the words of a command, they make it run inside. */
  readonly below: readonly string[];
  /** The most that everything inside had at once, what it read and wrote of files included. */
  peakBytes(): number;
  /** What is inside now, without the pages of files that would be given back at once. */
  usedBytes(): number;
  /** How often something inside was killed because nothing could be given back. */
  kills(): number;
  /** When nothing runs inside any more. */
  remove(): Promise<void>;
}

/** Needs root. Throws where the kernel has no control groups that count memory, or does not let them be made. */
export function makeMemoryGroup(name: string, bytes: number): MemoryGroup {
  const isSecond = existsSync(join(root, "cgroup.controllers"));
  const path = join(root, isSecond ? name : `memory/${name}`);
  mkdirSync(path, { recursive: true });
  const files = isSecond ? second : first;
  writeFileSync(join(path, files.limit), String(bytes));
  if (existsSync(join(path, files.swap))) writeFileSync(join(path, files.swap), String(isSecond ? 0 : bytes));
  const read = (file: string) => readFileSync(join(path, file), "utf8");
  const field = (file: string, key: string) => Number(new RegExp(`^${key} (\\d+)$`, "m").exec(read(file))?.[1]);
  return {
    below: ["sh", "-c", `echo $$ > ${join(path, "cgroup.procs")} && exec "$@"`, "sh"],
    peakBytes: () => Number(read(files.peak)),
    usedBytes: () => field("memory.stat", files.own),
    kills: () => field(files.events, "oom_kill"),
    remove: async () => {
      for (let attempt = 0; attempt < 50 && read("cgroup.procs") !== ""; attempt++) await pause(100);
      rmdirSync(path);
    },
  };
}

const first = {
  limit: "memory.limit_in_bytes",
  swap: "memory.memsw.limit_in_bytes",
  peak: "memory.max_usage_in_bytes",
  own: "total_rss",
  events: "memory.oom_control",
};
const second = {
  limit: "memory.max",
  swap: "memory.swap.max",
  peak: "memory.peak",
  own: "anon",
  events: "memory.events",
};
