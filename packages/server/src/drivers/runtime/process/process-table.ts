import { readdirSync, readFileSync } from "node:fs";

/** One process of the machine, as /proc shows it. */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** When it started, in clock ticks since boot: with the pid it names a process for ever. */
  readonly startTicks: number;
  /** Ended, but not yet collected by its parent. */
  readonly isZombie: boolean;
}

/** Every process; empty where there is no /proc. Blocks while it reads: for worker threads and the start only. */
export function readProcesses(): readonly ProcessRow[] {
  return entriesOf("/proc").flatMap((name) => {
    const row = /^\d+$/.test(name) ? readProcess(Number(name)) : undefined;
    return row === undefined ? [] : [row];
  });
}

/** undefined: there is none (any more). */
export function readProcess(pid: number): ProcessRow | undefined {
  const text = readText(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

/** proc(5), /proc/pid/stat. The command's name stands in parentheses and may itself hold any character. */
export function parseStat(text: string): ProcessRow | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const pid = Number.parseInt(text, 10);
  const [parent = Number.NaN, group = Number.NaN, session = Number.NaN] = fields.slice(1, 4).map(Number);
  const startTicks = Number(fields[19]);
  if (![pid, parent, group, session, startTicks].every(Number.isSafeInteger)) return undefined;
  return { pid, parent, group, session, startTicks, isZombie: fields[0] === "Z" || fields[0] === "X" };
}

/**
 * Memory that is this process's own: anonymous, shared-memory and swapped pages. Pages of files, such as Node's
 * binary, are not counted: every instance shares them.
 */
export function readMemoryBytes(pid: number): number {
  const text = readText(`/proc/${pid}/status`) ?? "";
  let kibibytes = 0;
  for (const match of text.matchAll(/^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB$/gm)) kibibytes += Number(match[1]);
  return kibibytes * 1024;
}

/** The environment a process was started with; empty when it may not be read. */
export function readEnvironment(pid: number): readonly string[] {
  return (readText(`/proc/${pid}/environ`) ?? "").split("\0");
}

/** Names this boot of the machine; undefined where the system has no such name. */
export function readBootId(): string | undefined {
  return readText("/proc/sys/kernel/random/boot_id")?.trim();
}

/** Processes end while they are read: what cannot be read is not there. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function entriesOf(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
