import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Logger } from "../../../kernel/logger.ts";

// Each line lists the groups that live. At the end of the input the server is gone; a line that it did not finish
// does not count.
const script = `trap '' HUP INT TERM
groups=
while read -r line; do groups=$line; done
for group in $groups; do kill -s KILL -- "-$group"; done
for round in 1 2 3 4 5 6 7 8 9; do
  pids=$(for home; do cat "$home"/*/cgroup.procs; done)
  [ -z "$pids" ] || kill -s KILL $pids
  for home; do rmdir "$home"/*/ "$home"; done
  for home; do [ -d "$home" ] && sleep 0.05 && continue 2; done
  break
done`;

/**
 * A small shell beside the server that ends every process group on its list when the server is gone, however that
 * went: the kernel closes the pipe. It needs nothing of the functions and works on every POSIX system.
 */
export class Lifeline implements AsyncDisposable {
  readonly #logger: Logger;
  readonly #groups = new Set<number>();
  readonly #controlGroups: readonly string[];
  #shell: ChildProcess | undefined;

  /** `controlGroups`: hold the groups of all instances; what has left its process group is found there. */
  constructor(logger: Logger, controlGroups: readonly string[] = []) {
    this.#logger = logger;
    this.#controlGroups = controlGroups;
  }

  add(group: number): void {
    this.#groups.add(group);
    this.#tell();
  }

  remove(group: number): void {
    this.#groups.delete(group);
    this.#tell();
  }

  /** Whatever is still on the list is ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    const shell = this.#shell;
    this.#shell = undefined;
    if (shell === undefined || shell.exitCode !== null || shell.signalCode !== null) return;
    const ended = once(shell, "exit");
    shell.stdin?.end();
    await ended;
  }

  #tell(): void {
    if (this.#shell === undefined && this.#groups.size === 0) return;
    this.#shell ??= this.#start();
    this.#shell.stdin?.write(`${[...this.#groups].join(" ")}\n`);
  }

  #start(): ChildProcess {
    const shell = spawn("/bin/sh", ["-c", script, "sh", ...this.#controlGroups], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
      env: {},
      cwd: "/",
    });
    shell.unref();
    const onLoss = (fields: Readonly<Record<string, unknown>>) => {
      if (this.#shell !== shell) return;
      // The next change starts another one with the whole list.
      this.#shell = undefined;
      this.#logger.warn("lifeline lost", fields);
    };
    shell.stdin?.on("error", (error) => onLoss({ error: error.message }));
    shell.on("error", (error) => onLoss({ error: error.message }));
    shell.on("exit", (code, signal) => onLoss({ code, signal }));
    return shell;
  }
}
