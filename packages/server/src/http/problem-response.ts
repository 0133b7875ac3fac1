import { STATUS_CODES } from "node:http";
import { type Dialect, isProblem, Problem } from "@chaya/contract";
import type { Logger } from "../kernel/logger.ts";
import { type Answer, noBody } from "./answer.ts";
import { goJson } from "./go-json.ts";

export interface ProblemExtras {
  readonly requestId?: string | undefined;
  /** Present when the answer is that of a call (`/invoke`, `/t`, …), with the id once there is one. */
  readonly call?: { readonly id?: string | undefined } | undefined;
}

/** The only place where a problem becomes a status, headers and a body. */
export function problemAnswer(problem: Problem, dialect: Dialect, extras: ProblemExtras): Answer {
  const { headers, body } = renderers[dialect](problem, extras);
  if (problem.retryAfterMs !== undefined) headers.push("Retry-After", String(Math.ceil(problem.retryAfterMs / 1000)));
  if (problem.kind === "internal" && extras.requestId !== undefined) {
    headers.push("Chaya-Request-Id", extras.requestId);
  }
  return { status: problem.status, headers, body };
}

export interface FailedRequest {
  readonly requestId: string;
  readonly method: string;
  /** The declared path, never the one that came: that may carry tokens. */
  readonly route: string;
}

/**
 * What was thrown, as a problem. A bug becomes `internal` and is logged whole, once, under the request id; so is a
 * problem of kind internal. Other problems are the caller's to know and are not logged.
 */
export function asProblem(error: unknown, request: FailedRequest, logger: Logger): Problem {
  if (isProblem(error) && error.kind !== "internal") return error;
  logger.error("request failed", { ...request, err: error });
  return isProblem(error) ? error : new Problem("internal", { requestId: request.requestId }, { cause: error });
}

interface Rendered {
  readonly headers: string[];
  readonly body: Buffer;
}

type Renderer = (problem: Problem, extras: ProblemExtras) => Rendered;

const renderers: Readonly<Record<Dialect, Renderer>> = {
  fn: renderFn,
  // These dialects have no route yet; until then their problems read as ours.
  oci: renderChaya,
  gateway: renderChaya,
  chaya: renderChaya,
};

/** Fn's shape. Failed calls carry our own members beside its message (docs/decisions/0003). */
function renderFn(problem: Problem, { call }: ProblemExtras): Rendered {
  if (problem.kind === "gone") return { headers: [], body: noBody };
  const message = problem.fnMessage;
  const shown =
    call === undefined
      ? { message }
      : { message, code: problem.code, detail: problem.message, hint: problem.hint, callId: call.id };
  const headers = ["Content-Type", "application/json; charset=utf-8"];
  if (call?.id !== undefined) headers.push("Fn-Call-Id", call.id);
  return { headers, body: Buffer.from(`${goJson(shown)}\n`) };
}

/** RFC 9457. A field of the problem never replaces a standard member. */
function renderChaya(problem: Problem, { requestId, call }: ProblemExtras): Rendered {
  const members = {
    type: `urn:chaya:problem:${problem.code}`,
    title: STATUS_CODES[problem.status] ?? problem.kind,
    status: problem.status,
    detail: problem.message,
    code: problem.code,
    hint: problem.hint,
    requestId,
    callId: call?.id,
  };
  const fields = Object.entries(problem.fields).filter(([name]) => !(name in members));
  return {
    headers: ["Content-Type", "application/problem+json"],
    body: Buffer.from(JSON.stringify({ ...members, ...Object.fromEntries(fields) })),
  };
}
