import { Readable } from "node:stream";
import type { ExitCode } from "../cli-error.ts";
import { runWords } from "../main.ts";
import type { Terminal } from "../terminal.ts";

export interface CliRun {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
  /** Standard output as JSON. */
  json(): unknown;
}

export interface CliRunOptions {
  readonly directory?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
  /** Standard input and outputs are a terminal. */
  readonly isTTY?: boolean;
  readonly nowMs?: number;
  /** Ctrl-C, for commands that run until then. */
  readonly interrupted?: AbortSignal;
}

/** Runs a command of `chaya` as a shell would, without a process. */
export async function runInMemory(words: readonly string[], options: CliRunOptions = {}): Promise<CliRun> {
  const chunks = { out: [] as Buffer[], err: [] as Buffer[] };
  const isTTY = options.isTTY ?? false;
  const output = (to: Buffer[]) => ({ isTTY, write: (text: string | Uint8Array) => to.push(Buffer.from(text)) });
  const stdin = Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)], { objectMode: false });
  const terminal: Terminal = {
    stdin: Object.assign(stdin, { isTTY }),
    stdout: output(chunks.out),
    stderr: output(chunks.err),
    environment: options.environment ?? {},
    directory: options.directory ?? "/nowhere",
    nowMs: () => options.nowMs ?? Date.now(),
    untilInterrupted: () => options.interrupted ?? new AbortController().signal,
  };
  const code = await runWords(words, terminal);
  const out = Buffer.concat(chunks.out).toString();
  return { code, out, err: Buffer.concat(chunks.err).toString(), json: () => JSON.parse(out) };
}
