// The platform as its user starts it: a process of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = join(dirname(fileURLToPath(import.meta.url)), "..");
export const chayaBin = join(repository, "packages/cli/bin/chaya.mjs");

/** Functions of most tests tell what they did through files of this machine. Tests of the sandbox ask for it. */
const outside = { CHAYA_SANDBOX: "none" };

export interface ServerProcessOptions {
  /** The program and its first arguments; the checkout's `chaya` when absent. */
  readonly command?: readonly string[];
  readonly data?: string;
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  readonly data: string;
  readonly child: ChildProcess;
  /** Everything printed so far. */
  output(): string;
  /** Ends it with SIGKILL and waits; the data stay. */
  crash(): Promise<void>;
  /** Ends it with SIGTERM; gives its exit code. */
  stop(): Promise<number | null>;
}

/** Starts a server on a free port and waits for its ready line. Without `data` the directory is removed at the end. */
export async function startServerProcess(options: ServerProcessOptions = {}): Promise<ServerProcess> {
  const data = options.data ?? mkdtempSync(join(tmpdir(), "chaya-server-"));
  const [program = process.execPath, ...first] = options.command ?? [process.execPath, chayaBin];
  const args = [...first, "start", "--port", "0", "--data", data, ...(options.arguments ?? [])];
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "/", ...outside, ...options.environment },
  });
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  child.stderr.on("data", (chunk) => (text += chunk));
  const exited = once(child, "exit");
  const url = await readyUrl(child, () => text);
  const end = async (signal: "SIGKILL" | "SIGTERM"): Promise<number | null> => {
    child.kill(signal);
    await exited;
    return child.exitCode;
  };
  return {
    url,
    data,
    child,
    output: () => text,
    crash: async () => void (await end("SIGKILL")),
    stop: () => end("SIGTERM"),
    [Symbol.asyncDispose]: async () => {
      await end("SIGKILL");
      if (options.data === undefined) rmSync(data, { recursive: true, force: true });
    },
  };
}

function readyUrl(child: ChildProcess, output: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.on("data", () => {
      const match = /^Chaya is ready at (\S+)$/m.exec(output());
      if (match?.[1] !== undefined && output().includes("\n")) resolve(match[1]);
    });
    child.once("error", reject);
    child.once("close", () => reject(new Error(`the server ended before it was ready: ${output()}`)));
  });
}
