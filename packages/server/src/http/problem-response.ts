import { type Dialect, isProblem, Problem } from "@chaya/contract";
import type { Logger } from "../kernel/logger.ts";
import { type Answer, noBody } from "./answer.ts";
import { goJson } from "./go-json.ts";
import { nodeHttp } from "./node-http.ts";

export interface ProblemExtras {
  readonly requestId?: string | undefined;
  /** What an OCI answer calls the request. */
  readonly opcRequestId?: string | undefined;
  /** Present when the answer is that of a call (`/invoke`, `/t`, …), with the id once there is one. */
  readonly call?: { readonly id?: string | undefined } | undefined;
}

/** The only place where a problem becomes a status, headers and a body. */
export function problemAnswer(problem: Problem, dialect: Dialect, extras: ProblemExtras): Answer {
  const { headers, body } = renderers[dialect](problem, extras);
  if (problem.retryAfterMs !== undefined) headers.push("Retry-After", String(Math.ceil(problem.retryAfterMs / 1000)));
  const status = problemStatus(problem, dialect);
  if (status === 401) headers.push("WWW-Authenticate", challenges);
  if (problem.kind === "internal" && extras.requestId !== undefined) {
    headers.push("Chaya-Request-Id", extras.requestId);
  }
  return { status, headers, body };
}

export function problemStatus(problem: Problem, dialect: Dialect): number {
  return dialect === "oci" ? problem.oci.status : problem.status;
}

/** RFC 9110 §11.6.1: a 401 names what would be taken. Nothing that makes a browser ask for a password. */
const challenges = 'Bearer realm="Chaya", Signature realm="Chaya", headers="(request-target) host date"';

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
  oci: renderOci,
  // This dialect has no route yet; until then its problems read as ours.
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

/**
 * OCI's shape. Calls that began and failed carry our own members beside its two, as in Fn's dialect; whoever was not let
 * in learns nothing more.
 */
function renderOci(problem: Problem, { opcRequestId, call }: ProblemExtras): Rendered {
  const { code, message } = problem.oci;
  const callId = call?.id;
  const ours = callId === undefined ? {} : { detail: problem.message, hint: problem.hint, callId };
  const shown = { code, message, ...ours };
  const headers = ["Content-Type", "application/json"];
  if (opcRequestId !== undefined) headers.push("opc-request-id", opcRequestId);
  if (callId !== undefined) headers.push("Fn-Call-Id", callId);
  return { headers, body: Buffer.from(JSON.stringify(shown)) };
}

/** RFC 9457. A field of the problem never replaces a standard member. */
function renderChaya(problem: Problem, { requestId, call }: ProblemExtras): Rendered {
  const members = {
    type: `urn:chaya:problem:${problem.code}`,
    title: nodeHttp.STATUS_CODES[problem.status] ?? problem.kind,
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
