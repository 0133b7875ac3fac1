// What processes take of memory, as Linux counts it.
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessMemory {
  readonly pid: number;
  readonly words: string;
  /** Its share of what it uses: a page that n processes use counts for 1/n of each. */
  readonly pssBytes: number;
  /** Of these, what is in no file: heaps, stacks. */
  readonly ownBytes: number;
}

/** A process and all that descends from it. */
export function treeMemory(pid: number): readonly ProcessMemory[] {
  return treeOf(pid).map(memoryOf);
}

export function pssOf(tree: readonly ProcessMemory[]): number {
  return tree.reduce((sum, { pssBytes }) => sum + pssBytes, 0);
}

function treeOf(pid: number): readonly number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(treeOf)];
}

function memoryOf(pid: number): ProcessMemory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1]) * 1024;
  const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").replace(/\s+/g, " ").trim();
  return { pid, words, pssBytes: bytes("Pss"), ownBytes: bytes("Pss_Anon") };
}
