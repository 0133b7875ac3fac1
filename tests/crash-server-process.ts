import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { repository } from "./server-process.ts";

/** `crash-server.ts` as a process: its work leases last 2 s, and it may stop at one of its durable operations. */
export class CrashServer {
  readonly url: string;
  /** Aborts when the server has reached its crash point. */
  readonly stopped: AbortSignal;
  readonly #child: ChildProcess;
  readonly #output: () => string;

  private constructor(child: ChildProcess, url: string, output: () => string, stopped: AbortSignal) {
    this.#child = child;
    this.url = url;
    this.#output = output;
    this.stopped = stopped;
  }

  static async start(data: string, store: string, point: string): Promise<CrashServer> {
    const entry = join(repository, "tests/crash-server.ts");
    const child = spawn(process.execPath, [entry, data, store, point], { stdio: ["ignore", "pipe", "inherit"] });
    const stopped = new AbortController();
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
      if (text.includes("stopped\n")) stopped.abort();
    });
    const url = await said(child, () => /ready (\S+)\n/.exec(text)?.[1]);
    return new CrashServer(child, url, () => text, stopped.signal);
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** From now on operations count. */
  async count(): Promise<void> {
    this.#child.kill("SIGUSR2");
    await said(this.#child, () => (this.#output().includes("counting\n") ? "" : undefined));
  }

  /** Kills it at its crash point, or after `waitMs` when it has not come there. */
  async kill(waitMs: number): Promise<void> {
    const waited = new Promise<void>((resolve) => {
      if (this.stopped.aborted) return resolve();
      this.stopped.addEventListener("abort", () => resolve(), { once: true });
      setTimeout(resolve, waitMs);
    });
    await waited;
    await this.#end("SIGKILL");
  }

  /** Gives the number of durable operations since `count`. */
  async stop(): Promise<number> {
    await this.#end("SIGTERM");
    return Number(/operations (\d+)/.exec(this.#output())?.[1]);
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    if (this.hasEnded) return;
    const exited = once(this.#child, "exit");
    this.#child.kill(signal);
    await exited;
  }
}

function said(child: ChildProcess, find: () => string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const found = find();
      if (found !== undefined) resolve(found);
    };
    child.stdout?.on("data", look);
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    look();
  });
}
