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
}

interface Output {
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean | undefined;
}

/** The terminal of this process. Ctrl-C ends the process as usual: a command keeps nothing that needs tidying up. */
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
  };
}
