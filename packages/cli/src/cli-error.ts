import { AnsweredProblem, ServerUnreachable, UnexpectedAnswer } from "@chaya/client";
import { isProblem } from "@chaya/contract";
import { visibleText } from "./visible-text.ts";

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
  const lines = [`chaya: ${visibleText(complaint.what)}`];
  for (const line of [complaint.why, complaint.hint]) if (line !== undefined) lines.push(`  ${visibleText(line)}`);
  return `${lines.join("\n")}\n`;
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
  return { what: error.message, why, hint, exitCode: exitCode.failed };
}

function idsText(ids: {
  readonly callId?: string | undefined;
  readonly requestId?: string | undefined;
}): string | undefined {
  if (ids.callId !== undefined) return `call ${ids.callId}`;
  return ids.requestId === undefined ? undefined : `request ${ids.requestId}`;
}
