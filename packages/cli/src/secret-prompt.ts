import { limits } from "@chaya/contract";
import { CliError, usageError } from "./cli-error.ts";
import type { Terminal } from "./terminal.ts";

/** The value of a secret: what standard input holds, without one final line break; at a terminal, a hidden line. */
export async function readSecretValue(terminal: Terminal, name: string): Promise<string> {
  const value = await readHiddenText(terminal, `Value of ${name} (not shown): `);
  if (value === "") {
    throw usageError(
      "The value is empty.",
      `Pipe it in: chaya secrets set APP ${name} < FILE, or type it at the prompt.`,
    );
  }
  return value;
}

/** What standard input holds, without one final line break; at a terminal, a line that is not shown. */
export function readHiddenText(terminal: Terminal, prompt: string): Promise<string> {
  return terminal.stdin.isTTY ? promptHidden(terminal, prompt) : readAll(terminal.stdin);
}

async function readAll(stdin: AsyncIterable<Uint8Array | string>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    bytes += chunk.length;
    if (bytes > limits.secretValueBytesMax + 2) {
      throw new CliError({
        what: `A secret has at most ${limits.secretValueBytesMax} bytes.`,
        hint: "Store a key to the data instead.",
      });
    }
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks)
    .toString()
    .replace(/\r?\n$/, "");
}

/** Reads one line with the terminal's echo off. Ctrl-C and Ctrl-D give up. */
async function promptHidden(terminal: Terminal, prompt: string): Promise<string> {
  const stdin: NodeJS.ReadableStream & { setRawMode?: (isRaw: boolean) => unknown } = terminal.stdin;
  terminal.stderr.write(prompt);
  stdin.setRawMode?.(true);
  try {
    let line = "";
    for await (const chunk of stdin) {
      for (const character of String(chunk)) {
        if (character === "\r" || character === "\n") return line;
        if (character === "\u0003" || character === "\u0004") throw usageError("Given up.");
        line = character === "\u007f" || character === "\b" ? line.slice(0, -1) : line + character;
      }
    }
    return line;
  } finally {
    stdin.setRawMode?.(false);
    terminal.stderr.write("\n");
  }
}
