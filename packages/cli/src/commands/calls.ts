import type { CallView } from "@chaya/contract/chaya";
import { usageError } from "../cli-error.ts";
import { serverCommand } from "../command.ts";
import { wholeNumber } from "../key-values.ts";
import { logText } from "../log-text.ts";
import { fields, table } from "../table.ts";
import { visibleText } from "../visible-text.ts";

const selection = {
  app: { value: "APP", summary: "Only of this application." },
  fn: { value: "FN", summary: "Only of this function (its name needs --app)." },
  limit: { value: "N", summary: "At most so many (30)." },
  cursor: { value: "CURSOR", summary: "Continue where an earlier list ended." },
} as const;
const CALL = { summary: "Id of the call." } as const;

export const callCommands = [
  serverCommand({
    path: "calls list",
    summary: "List call records, newest first.",
    flags: {
      ...selection,
      status: { value: "STATUS", summary: "queued, running, succeeded, failed, timed-out, refused or cancelled." },
      source: { value: "SOURCE", summary: "What started it: direct, http, detached, …" },
      since: { value: "TIME", summary: "Accepted at or after this time (RFC 3339)." },
      until: { value: "TIME", summary: "Accepted before this time (RFC 3339)." },
    },
    examples: ["chaya calls list --app photos --status failed"],
    run: async ({ client, print, flags }) => {
      const { app, fn, cursor, since, until } = flags;
      const limit = wholeNumber(flags.limit, "--limit");
      // The server knows the words and names those it takes when this is none of them.
      const status = flags.status as CallView["status"] | undefined;
      const source = flags.source as CallView["source"] | undefined;
      const list = await client.chaya.listCalls({ app, fn, status, source, since, until, cursor, limit });
      print(list, () => callTable(list.items) + nextPage(list.nextCursor));
    },
  }),
  serverCommand({
    path: "calls get",
    summary: "Show the record of a call, its log or its captured input.",
    arguments: { CALL },
    flags: { log: { summary: "Print its log lines." }, input: { summary: "Print its captured input." } },
    run: async ({ client, print, terminal, arguments: words, flags }) => {
      if (flags.log && flags.input) throw usageError("Choose one of --log and --input.");
      if (flags.input) {
        const input = await client.getCallInput({ callId: words.CALL });
        terminal.stdout.write(new Uint8Array(await input.arrayBuffer()));
        return;
      }
      if (flags.log) {
        const log = await client.chaya.getCallLog({ callId: words.CALL });
        print(log, () => log.items.map(logText).join("") + (log.isTruncated ? "… cut: the call wrote too much\n" : ""));
        return;
      }
      const call = await client.chaya.getCall({ callId: words.CALL });
      print(call, () => callText(call));
    },
  }),
  serverCommand({
    path: "calls dead",
    summary: "List dead letters: detached calls that were given up.",
    flags: selection,
    run: async ({ client, print, flags }) => {
      const { app, fn, cursor } = flags;
      const list = await client.chaya.listDeadLetters({ app, fn, cursor, limit: wholeNumber(flags.limit, "--limit") });
      const rows = list.items.map((one) => [one.id, name(one), one.attempts, one.diedAt, sentenceOf(one.problem)[0]]);
      print(list, () => table(["CALL", "FUNCTION", "ATTEMPTS", "DIED", "PROBLEM"], rows) + nextPage(list.nextCursor));
    },
  }),
  serverCommand({
    path: "calls redrive",
    summary: "Run a dead letter again, under the same call id with fresh attempts.",
    arguments: { CALL },
    run: async ({ client, print, arguments: words }) => {
      await client.chaya.redriveDeadLetter({ callId: words.CALL });
      print({ redriven: words.CALL }, () => `The call ${words.CALL} runs again.\n`);
    },
  }),
  serverCommand({
    path: "calls forget",
    summary: "Delete a dead letter.",
    arguments: { CALL },
    run: async ({ client, print, arguments: words }) => {
      await client.chaya.deleteDeadLetter({ callId: words.CALL });
      print({ deleted: words.CALL }, () => `Deleted the dead letter ${words.CALL}.\n`);
    },
  }),
];

function callTable(calls: readonly CallView[]): string {
  const rows = calls.map((call) => [
    call.id,
    name(call),
    call.status,
    call.source,
    call.acceptedAt,
    `${call.waitMs.toFixed(1)} ms`,
    `${call.runMs.toFixed(1)} ms`,
    call.problem?.code ?? "",
  ]);
  return table(["CALL", "FUNCTION", "STATUS", "SOURCE", "ACCEPTED", "WAITED", "RAN", "PROBLEM"], rows);
}

function callText(call: CallView): string {
  const [sentence, ...quoted] = sentenceOf(call.problem);
  const record = fields({
    call: call.id,
    function: name(call),
    image: call.image,
    status: call.status,
    source: call.source,
    attempt: call.attempt,
    "http status": call.httpStatus,
    accepted: call.acceptedAt,
    started: call.startedAt,
    finished: call.finishedAt,
    waited: `${call.waitMs} ms`,
    ran: `${call.runMs} ms`,
    "cold start": call.isColdStart ? "yes" : "no",
    request: `${call.requestBytes} bytes`,
    response: `${call.responseBytes} bytes`,
    memory: `${call.memoryMiB} MiB`,
    cause: call.causeId,
    trace: call.traceId,
    problem: call.problem?.code,
    "": sentence,
    hint: call.problem?.hint.replaceAll("CALL_ID", call.id),
  });
  return record + quoted.map((line) => `  ${visibleText(line)}\n`).join("");
}

/** What a problem says, and then the lines that it quotes. */
function sentenceOf(problem: CallView["problem"]): readonly string[] {
  return problem?.sentence.split("\n") ?? [];
}

function name(of: { readonly application?: string | undefined; readonly function?: string | undefined }): string {
  return `${of.application ?? "?"}/${of.function ?? "?"}`;
}

function nextPage(cursor: string | undefined): string {
  return cursor === undefined ? "" : `\nThere are more: --cursor ${cursor}\n`;
}
