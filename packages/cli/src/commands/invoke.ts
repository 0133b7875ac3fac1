import { Readable } from "node:stream";
import { answerProblem } from "@chaya/client";
import { type ExitCode, exitCode, usageError } from "../cli-error.ts";
import { serverCommand } from "../command.ts";
import { findApp, findFn } from "../find-records.ts";
import { withProgress } from "../progress.ts";
import type { Terminal } from "../terminal.ts";
import { visibleDocument } from "../visible-text.ts";

export const invokeCommands = [
  serverCommand({
    path: "invoke",
    summary: "Call a function; standard input is the body, standard output gets the answer.",
    arguments: { APP: { summary: "Name or id of the application." }, FN: { summary: "Name or id of the function." } },
    flags: {
      detached: { summary: "Accept the call now and run it later; prints its id." },
      "content-type": { value: "TYPE", summary: "Content type of the body (application/json)." },
      inspect: { summary: "Open Node's inspector and wait for a debugger before the first line; no timeout counts." },
      "inspect-port": {
        value: "PORT",
        summary: "With --inspect: where debuggers find it (9229, or the next free one).",
      },
      "idempotency-key": { value: "KEY", summary: "With --detached: the same key within 24 h is the same call." },
    },
    examples: [`echo '{"name":"Chaya"}' | chaya invoke demo hello`, "chaya invoke demo hello --detached < body.json"],
    run: async ({ client, terminal, arguments: words, flags }) => {
      if (flags.inspect && flags.detached)
        throw usageError("--inspect and --detached exclude each other.", "Whoever debugs a call waits for its answer.");
      const fn = await findFn(client, await findApp(client, words.APP), words.FN);
      // At a terminal nobody means to type a body.
      const body = terminal.stdin.isTTY ? undefined : Readable.toWeb(terminal.stdin);
      const contentType = flags["content-type"] ?? "application/json";
      if (flags.inspect) {
        const port = flags["inspect-port"];
        const { callInspected } = await import("../inspect/call-inspected.ts");
        await using inspected = await callInspected({ client, terminal, fnId: fn.id, contentType, body, port });
        return await showAnswer(inspected.response, terminal, flags);
      }
      const request = {
        fnId: fn.id,
        contentType,
        isDetached: flags.detached,
        ...(body && { body }),
        ...(flags["idempotency-key"] && { idempotencyKey: flags["idempotency-key"] }),
      };
      const call = client.invoke(request);
      const response = await withProgress(terminal, `Waiting for ${words.APP}/${words.FN}`, call);
      return await showAnswer(response, terminal, flags);
    },
  }),
];

async function showAnswer(
  response: Response,
  terminal: Terminal,
  flags: { readonly json: boolean; readonly detached: boolean },
): Promise<ExitCode> {
  if (flags.json) return await printAnswer(response, terminal);
  if (!response.ok) throw await answerProblem(response, "fn");
  if (flags.detached) terminal.stdout.write(`${response.headers.get("fn-call-id")}\n`);
  else await writeBody(response, terminal);
  return exitCode.ok;
}

/** Bytes as they are into a pipe or file; made safe to show on a terminal. */
async function writeBody(response: Response, { stdout }: Terminal): Promise<void> {
  const decoder = new TextDecoder();
  let last = "\n";
  for await (const chunk of response.body ?? []) {
    if (!stdout.isTTY) {
      stdout.write(chunk);
      continue;
    }
    const text = visibleDocument(decoder.decode(chunk, { stream: true }));
    stdout.write(text);
    last = text.at(-1) ?? last;
  }
  if (stdout.isTTY && last !== "\n") stdout.write("\n");
}

/** The whole answer as one JSON object; bodies that are not text are base64. */
async function printAnswer(response: Response, { stdout }: Terminal): Promise<ExitCode> {
  const bytes = Buffer.from(await response.arrayBuffer());
  const text = bytes.toString();
  const isText = Buffer.from(text).equals(bytes);
  const answer = {
    status: response.status,
    callId: response.headers.get("fn-call-id"),
    headers: Object.fromEntries(response.headers),
    ...(isText ? { body: jsonOrText(response, text) } : { bodyBase64: bytes.toString("base64") }),
  };
  stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  return response.ok ? exitCode.ok : exitCode.failed;
}

function jsonOrText(response: Response, text: string): unknown {
  if (!/\bjson\b/.test(response.headers.get("content-type") ?? "")) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
