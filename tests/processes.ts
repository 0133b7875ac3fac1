// What the kernel says of processes.
import { readdirSync, readFileSync } from "node:fs";

/** Whether it runs. One that has ended and was not collected by its parent (a zombie) does not. */
export function isAlive(pid: number): boolean {
  const state = stateOf(pid);
  return state !== undefined && state !== "Z" && state !== "X";
}

/** Resident memory in bytes; 0 when it is gone. */
export function residentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(`${pid}/status`))?.[1];
  return Number(kibibytes ?? 0) * 1024;
}

/** Living processes that have this text in the environment they were started with. */
export function processesWith(variable: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && readProc(`${name}/environ`).split("\0").includes(variable))
    .map(Number)
    .filter(isAlive);
}

/** Processes that this one started and that have not been collected yet. */
export function childrenOf(pid: number): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(fieldsOf(name)[1]) === pid)
    .map(Number);
}

function stateOf(pid: number): string | undefined {
  return fieldsOf(pid)[0] || undefined;
}

/** "pid (name) state parent …", after the name: that may hold brackets and blanks. */
function fieldsOf(pid: number | string): readonly string[] {
  const stat = readProc(`${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    // It ended, or is another user's.
    return "";
  }
}
