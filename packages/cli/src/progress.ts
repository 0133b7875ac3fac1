import type { Terminal } from "./terminal.ts";

const silentMs = 1000;

/** Waits for `task`; says on standard error what is waited for once that takes longer than a second. */
export async function withProgress<T>(terminal: Pick<Terminal, "stderr">, what: string, task: Promise<T>): Promise<T> {
  const timer = setTimeout(() => terminal.stderr.write(`${what} …\n`), silentMs);
  try {
    return await task;
  } finally {
    clearTimeout(timer);
  }
}
