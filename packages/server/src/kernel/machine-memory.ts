import { totalmem } from "node:os";

/** Bytes of memory that this process and its children may have: the machine's, or less where a control group says so. */
export function machineMemoryBytes(): number {
  // 0: not known; a group without a limit has a number beyond every machine.
  const limit = process.constrainedMemory();
  return limit === 0 ? totalmem() : Math.min(limit, totalmem());
}
