import { AnsweredProblem, ServerUnreachable, UnexpectedAnswer } from "@chaya/client";
import { isProblem } from "@chaya/contract";
import { visibleDocument, visibleText } from "./visible-text.ts";

/** What the exit code of `chaya` tells a script. */
export const exitCode = {
  ok: 0,
  /** The server said no, the function failed, or a file is wrong. */
  failed: 1,
  /** The command itself is wrong: unknown words, missing arguments. */
  usage: 2,
  /** No server answers. */
  unreachable: 3,
} as const;
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** Three lines for a person: what is wrong, why, what to do. */
export interface Complaint {
  readonly what: string;
  readonly why?: string | undefined;
  /** What a program printed that failed, in its own lines. */
  readonly output?: string | undefined;
  readonly hint?: string | undefined;
  readonly exitCode: ExitCode;
}

/** Something the user can put right. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly complaint: Complaint;

  constructor(complaint: Omit<Complaint, "exitCode"> & { readonly exitCode?: ExitCode }, options?: ErrorOptions) {
    super(complaint.what, options);
    this.complaint = { exitCode: exitCode.failed, ...complaint };
  }
}

export function usageError(what: string, hint?: string): CliError {
  return new CliError({ what, hint, exitCode: exitCode.usage });
}

export function complaintText(complaint: Complaint): string {
  const { what, why, output, hint } = complaint;
  const printed = output === undefined ? [] : visibleDocument(output).split("\n");
  const lines = [...printed, ...(why === undefined ? [] : [visibleText(why)])];
  if (hint !== undefined) lines.push(visibleText(hint));
  return [`chaya: ${visibleText(what)}`, ...lines.map((line) => `  ${line}`), ""].join("\n");
}

/** What to tell about anything that was thrown. Undefined: it is a bug of this program. */
export function complaintOf(error: unknown): Complaint | undefined {
  if (error instanceof CliError) return error.complaint;
  if (error instanceof ServerUnreachable) {
    const hint = "Start one with: chaya start — or name another with --url or CHAYA_URL.";
    return { what: error.message, hint, exitCode: exitCode.unreachable };
  }
  if (error instanceof UnexpectedAnswer) {
    return { what: error.message, why: idsText({ callId: error.callId }), exitCode: exitCode.failed };
  }
  if (!isProblem(error)) return undefined;
  const ids = error instanceof AnsweredProblem ? error : { callId: undefined, requestId: undefined };
  const why = [error.code, idsText(ids)].filter((text) => text !== undefined).join(", ");
  const hint = ids.callId === undefined ? error.hint : error.hint.replaceAll("CALL_ID", ids.callId);
  // What a failed start printed is part of its sentence, in lines of its own.
  const [what = "", ...printed] = error.message.split("\n");
  const output = printed.length === 0 ? undefined : printed.join("\n");
  return { what, why, output, hint, exitCode: exitCode.failed };
}

function idsText(ids: {
  readonly callId?: string | undefined;
  readonly requestId?: string | undefined;
}): string | undefined {
  if (ids.callId !== undefined) return `call ${ids.callId}`;
  return ids.requestId === undefined ? undefined : `request ${ids.requestId}`;
}
