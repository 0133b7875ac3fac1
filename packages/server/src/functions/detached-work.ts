import { Problem, type ProblemCode, problems } from "@chaya/contract";
import type { PayloadDriver } from "../drivers/payload/driver.ts";
import type { CallProblem } from "../seams.ts";
import type { Work, WorkKind, WorkOutcome } from "../work/work.ts";
import { statusOfProblem } from "./call/call-outcome.ts";
import { type CallReport, describe } from "./call/call-report.ts";
import { type Calls, detachedTimeoutOf } from "./calls.ts";
import { openBody } from "./detached-body.ts";
import { DetachedCaller } from "./detached-caller.ts";
import { factsOf, parseDetails } from "./detached-details.ts";
import type { Application, Directory, FunctionRecord } from "./model.ts";
import type { Pools } from "./pool/pools.ts";
import type { SettledPayloads } from "./settled-payloads.ts";

export interface DetachedWorkDeps {
  readonly directory: Directory;
  readonly calls: Calls;
  readonly pools: Pools;
  readonly report: CallReport;
  readonly payloads: PayloadDriver;
  readonly settled: SettledPayloads;
}

/** The kind of work that a detached call is; its lane is the function's id. */
export const callWork = "call";

/** Calls of a function that is no more are claimed so many at a time, to die. */
const deadPerClaim = 100;
const refusedDelayMs = 1_000;

/**
 * Detached calls as work. Queued → running through the same pools as all calls → done; or queued again: a failure of
 * the function consumes an attempt, a refusal of the platform only time; or a dead letter. After a crash the call runs
 * again under the same id with the next attempt number.
 */
export function createCallWork(deps: DetachedWorkDeps): WorkKind {
  return {
    name: callWork,
    placesReserved: 0,
    admit: (lane) => admitDetached(deps, lane),
    run: (work, signal) => run(deps, work, signal),
    onDead: (work, problem) => {
      reportDead(deps, work, problem);
      return [];
    },
  };
}

/** How many calls of the function could begin now. */
export function admitDetached(deps: DetachedWorkDeps, functionId: string): number {
  if (deps.calls.node.isDraining) return 0;
  const subject = subjectOf(deps.directory, functionId);
  return subject === undefined ? deadPerClaim : deps.pools.of(subject.application, subject.function).admits();
}

async function run(deps: DetachedWorkDeps, work: Work, signal: AbortSignal): Promise<WorkOutcome> {
  const details = parseDetails(work.details);
  const subject = subjectOf(deps.directory, work.lane);
  if (subject === undefined)
    return { kind: "dead", problem: describe(new Problem("function-not-found", { function: details.functionName })) };
  const caller = new DetachedCaller();
  const body = openBody(deps.payloads, work);
  const { source, acceptedAtMs, headers, bodyBytes, contentType, chainDepth } = details;
  const { id, attempt, causeId, traceId } = work;
  const timeout = detachedTimeoutOf(subject.function);
  const request = { id, attempt, causeId, traceId, source, acceptedAtMs, headers, bodyBytes, contentType, chainDepth };
  // The instance is taken before the first await: claims count on what `admit` said.
  const call = deps.calls.begin({ ...request, ...subject, timeout, body }, caller, deps.report.whileQueued);
  const stop = () => call.cancel(new Problem("server-draining"));
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const problem = await caller.answered;
  signal.removeEventListener("abort", stop);
  if (!(body instanceof Uint8Array)) body.destroy();
  if (problem !== undefined) return outcomeOf(problem);
  if (work.payloadId !== undefined) deps.settled.add(work.id, work.payloadId);
  return { kind: "done" };
}

/** What no later attempt can change. */
const hopeless: ReadonlySet<ProblemCode> = new Set([
  ...(["function-not-found", "memory-too-large", "invoke-refused", "call-chain-too-deep"] as const),
  ...(["payload-not-found", "payload-damaged"] as const),
]);

/** What becomes of a detached call whose attempt ended with this problem. */
export function outcomeOf(problem: Problem): WorkOutcome {
  const described = describe(problem);
  if (hopeless.has(problem.code)) return { kind: "dead", problem: described };
  const status = statusOfProblem(problem);
  const hasRun = status === "failed" || status === "timed-out";
  // A start that was held back is no attempt: the function was not given the call.
  if (hasRun && problem.code !== "function-crash-looping") return { kind: "failed", problem: described };
  return { kind: "refused", problem: described, delayMs: problem.retryAfterMs ?? refusedDelayMs };
}

/** Failures of the function were recorded when they happened; a death for another reason is recorded here. */
function reportDead(deps: DetachedWorkDeps, work: Work, problem: CallProblem): void {
  if (isProblemCode(problem.code) && statusOfProblem({ code: problem.code }) !== "refused") return;
  const details = parseDetails(work.details);
  deps.report.died(factsOf(work, details), problem, details.bodyBytes);
}

function isProblemCode(code: string): code is ProblemCode {
  return code in problems;
}

function subjectOf(
  directory: Directory,
  functionId: string,
): { readonly application: Application; readonly function: FunctionRecord } | undefined {
  const fn = directory.function(functionId);
  const application = fn === undefined ? undefined : directory.application(fn.applicationId);
  return fn === undefined || application === undefined ? undefined : { application, function: fn };
}
