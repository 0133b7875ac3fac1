import type { Readable } from "node:stream";

/** Everything a command sees of the world outside the server. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The directory in which the command was given. */
  readonly directory: string;
  nowMs(): number;
  /** From now on Ctrl-C and SIGTERM abort this signal instead of ending the process. */
  untilInterrupted(): AbortSignal;
}

interface Output {
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean | undefined;
}

/** Ctrl-C may come twice at once: from the terminal, and passed on by whoever started this process. */
const repeatMs = 1000;

/** The terminal of this process. Ctrl-C ends the process as usual, unless a command has something to tidy up. */
export function processTerminal(): Terminal {
  // A reader that has seen enough (`chaya logs | head`) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    directory: process.cwd(),
    nowMs: () => Date.now(),
    untilInterrupted,
  };
}

function untilInterrupted(): AbortSignal {
  const interrupted = new AbortController();
  let firstMs: number | undefined;
  const interrupt = (_signal: string, number: number) => {
    firstMs ??= performance.now();
    interrupted.abort();
    // Whoever asks again does not want to wait for what is still being done.
    if (performance.now() - firstMs > repeatMs) process.exit(128 + number);
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return interrupted.signal;
}
